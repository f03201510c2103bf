"""One recipient a number, everyone left out with one reason, and the audience fixed for good."""

from collections import Counter
from pathlib import Path

import pytest

from include.audience.suppression import import_suppressions
from include.errors import HandOverError
from tests.store.conftest import Make
from tests.support import Campaign, numbers, write_csv

pytestmark = pytest.mark.services

SPELLINGS = [("010-1234-5678", "첫째"), ("01099998888", "다른"), ("+82 10 1234 5678", "둘째"), ("1012345678", "셋째")]
PLAIN = "[ACME] {{name}}님, 주문이 접수되었습니다"


def texts(campaign: Campaign) -> list[str]:
    campaign.send_frozen()
    return [str(text) for text in campaign.line_rows("msg_contents")]


def left_out(campaign: Campaign) -> list[tuple[int, str, str]]:
    return campaign.store.execute(
        "SELECT row_no, outcome, reason FROM exclusions WHERE run_id = %s ORDER BY row_no", [campaign.run.run_id]
    ).fetchall()


def consent(campaign: Campaign, number: str, granted: bool, expires: str | None = None) -> None:
    campaign.store.execute(
        "INSERT INTO consents (tenant_id, phone_index, channel, purpose, granted, evidence, source, expires_at) "
        "VALUES (%s, %s, 'sms', 'advertising', %s, 'form 1', 'test', %s)",
        [campaign.tenant_id, campaign.ring.blind_index(number), granted, expires],
    )
    campaign.store.commit()


@pytest.mark.parametrize(("keep", "kept", "dropped"), [("first", "첫째", [4, 5]), ("last", "셋째", [2, 4])])
def test_which_of_the_duplicates_stays(make: Make, keep: str, kept: str, dropped: list[int]) -> None:
    campaign = make(SPELLINGS, text=PLAIN, purpose="informational", audience={"keep": keep})
    campaign.import_()
    counts = campaign.freeze()
    assert (counts.recipients, counts.duplicates) == (2, 2)
    assert left_out(campaign) == [(row, "duplicate", "duplicate") for row in dropped]
    assert Counter(text.split()[1] for text in texts(campaign)) == Counter([f"{kept}님,", "다른님,"])


@pytest.mark.parametrize(("purpose", "opted_out"), [("advertising", 1), ("informational", 0)])
def test_refusals_bind_by_their_kind(make: Make, tmp_path: Path, purpose: str, opted_out: int) -> None:
    campaign = make(10, purpose=purpose, **({} if purpose == "advertising" else {"text": PLAIN}))
    first, second = numbers(2)
    never = write_csv(tmp_path / "never.csv", ["번호"], [[f"{first[:3]}-{first[3:7]}-{first[7:]}"], [first]])
    assert import_suppressions(campaign.store, campaign.ring, campaign.tenant_id, never) == 2
    no_ads = write_csv(tmp_path / "no_ads.csv", ["이름", "번호"], [["김", second]])
    import_suppressions(campaign.store, campaign.ring, campaign.tenant_id, no_ads, "opted_out", "번호")
    campaign.import_()
    assert campaign.freeze().recipients == 9 - opted_out
    assert left_out(campaign) == [(2, "excluded", "suppressed"), (3, "excluded", "opted_out")][: 1 + opted_out]


def test_another_tenants_refusals_do_not_bind(make: Make, tmp_path: Path) -> None:
    one, other = make(10), make(10)
    never = write_csv(tmp_path / "never.csv", ["번호"], [[number] for number in numbers(5)])
    import_suppressions(other.store, other.ring, other.tenant_id, never)
    for campaign in (one, other):
        campaign.import_()
        campaign.freeze()
    assert (left_out(one), len(left_out(other))) == ([], 5)


def test_consent_in_the_file(make: Make) -> None:
    rows = [(n, "김", answer) for n, answer in zip(numbers(5), ["Y", "예", "N", "", "동의"], strict=True)]
    # the same person once with and once without: a refusal on either row counts
    rows += [
        (numbers(6)[5], "김", "Y"),
        (numbers(6)[5], "김", "N"),
        (numbers(7)[6], "김", "N"),
        (numbers(7)[6], "김", "Y"),
    ]
    columns = {"phone": "phone", "name": "name", "consent": "consent"}
    campaign = make(rows, header=("phone", "name", "consent"), columns=columns)
    consent(campaign, numbers(1)[0], granted=False)
    campaign.import_()
    counts = campaign.freeze()
    assert left_out(campaign) == [
        (2, "excluded", "opted_out"),
        (4, "excluded", "no_consent"),
        (5, "excluded", "no_consent"),
        (7, "excluded", "no_consent"),
        (8, "duplicate", "duplicate"),
        (9, "excluded", "no_consent"),
        (10, "duplicate", "duplicate"),
    ]
    assert counts.recipients == 2


def test_consent_on_record(make: Make) -> None:
    campaign = make(4, audience={"consent": "recorded"})
    granted, expired, refused, _unknown = numbers(4)
    consent(campaign, granted, granted=True)
    consent(campaign, expired, granted=True, expires="2020-01-01T00:00:00Z")
    consent(campaign, refused, granted=False)
    campaign.import_()
    assert campaign.freeze().recipients == 1
    assert [reason for _, _, reason in left_out(campaign)] == ["no_consent", "opted_out", "no_consent"]


def test_every_target_is_somewhere_and_numbers_have_no_gap(make: Make, tmp_path: Path) -> None:
    rows = [(n, "김") for n in numbers(200)] + [(n, "김") for n in numbers(40)] + [("02-123-4567", "김")] * 10
    campaign = make(rows)
    import_suppressions(
        campaign.store, campaign.ring, campaign.tenant_id, write_csv(tmp_path / "s.csv", ["n"], [[numbers(1)[0]]])
    )
    campaign.import_()
    counts = campaign.freeze()
    assert (counts.recipients, counts.rejected, counts.duplicates, counts.excluded) == (199, 10, 40, 1)
    found = campaign.store.execute(
        "SELECT recipient_no, row_no FROM recipients WHERE run_id = %s ORDER BY recipient_no", [campaign.run.run_id]
    ).fetchall()
    assert found == [(place, place + 2) for place in range(1, 200)]
    assert {row for _, row in found} | {row for row, _, _ in left_out(campaign)} == set(range(2, 252))


def test_a_second_freeze_changes_nothing(make: Make) -> None:
    campaign = make(300)
    campaign.import_()
    first = campaign.freeze()
    sealed = (campaign.run.frozen_at, campaign.run.audience_hash)
    consent(campaign, numbers(1)[0], granted=False)
    again = campaign.freeze()
    assert (first.already, again.already) == (False, True)
    assert again.recipients == first.recipients == 300
    assert (campaign.run.frozen_at, campaign.run.audience_hash) == sealed


def test_the_audience_has_a_stable_hash(make: Make, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ("phone", "name"), [(n, "김") for n in numbers(12_000)])
    hashes = []
    for file in (path, path, write_csv(tmp_path / "b.csv", ("phone", "name"), [(n, "김") for n in numbers(11_999)])):
        campaign = make(file)
        campaign.import_()
        campaign.freeze()
        assert campaign.run.audience_hash is not None
        hashes.append(campaign.run.audience_hash)
    assert len(hashes[0]) == 32
    assert hashes[0] == hashes[1] != hashes[2]


def test_staged_rows_that_vanished_stop_the_freeze(make: Make) -> None:
    campaign = make(50)
    campaign.import_()
    campaign.store.execute(f"DELETE FROM {campaign.staged} WHERE row_no = 9")
    campaign.store.commit()
    with pytest.raises(HandOverError, match=r"read 50 rows but 49 are staged\. Clear import_targets"):
        campaign.freeze()
    assert campaign.again().frozen_at is None
    assert campaign.value("SELECT count(*) FROM recipients WHERE run_id = %s", campaign.run.run_id) == 0

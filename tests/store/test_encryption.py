"""Personal data in the store: sealed, findable by its index only, and of no use without the right ring."""

import json
import shutil
from pathlib import Path

import pytest

from include.audience.packing import SEPARATOR, bound_to
from include.privacy.cipher import KeyRing, KeyRingError
from include.reporting.audit import audit
from include.reporting.books import close
from tests.store.conftest import Make
from tests.support import find_clear_numbers, finish_rows, numbers

pytestmark = pytest.mark.services


def test_no_number_is_readable_anywhere_after_a_run(make: Make) -> None:
    wanted = numbers(300, start=9_000_000)
    spellings = [f"{n[:3]}-{n[3:7]}-{n[7:]}" for n in wanted]
    rows = [(n, "김철수") for n in spellings] + [(f"{n}99", "이영희") for n in wanted[:20]] + [(wanted[0], "두번")]
    campaign = make(rows, chunk_size=100)
    for _ in campaign.send():
        pass
    finish_rows(campaign, 6)
    assert find_clear_numbers(campaign.databases.owner_url, wanted) == []
    assert sorted(set(campaign.line_rows())) == sorted(wanted)


def test_the_search_for_readable_numbers_finds_them(make: Make) -> None:
    campaign = make(1)
    number = "01091234567"
    seal = "INSERT INTO suppressions (tenant_id, phone_index, reason, source) VALUES (%s, %s, 'suppressed', %s)"
    campaign.store.execute(seal, [campaign.tenant_id, b"xx" + number.encode(), "by hand: 010-9123-4567"])
    campaign.store.execute(
        "INSERT INTO audit_log (tenant_id, action, object, detail) VALUES (%s, 'b', 'c', %s)",
        [campaign.tenant_id, json.dumps({"called": "+82 10 9123 4567"})],
    )
    campaign.store.commit()
    found = find_clear_numbers(campaign.databases.owner_url, [number])
    assert found == ["audit_log.detail", "suppressions.phone_index", "suppressions.source"]
    campaign.tamper("DELETE FROM suppressions WHERE tenant_id = %s", campaign.tenant_id)


def test_equal_values_have_different_ciphertexts_and_one_index(make: Make) -> None:
    campaign = make([("01011112222", "김"), ("010-1111-2222", "김")])
    campaign.import_()
    rows = campaign.store.execute(f"SELECT phone_index, payload_enc FROM {campaign.staged}").fetchall()
    assert len({index for index, _ in rows}) == 1
    assert len({sealed for _, sealed in rows}) == 2
    assert rows[0][0] == campaign.ring.blind_index("01011112222")


def test_only_what_the_message_uses_is_sealed_cleaned(make: Make) -> None:
    rows = [("010-1111-2222", "김\u00a0 철수\n", "부산\t해운대구", "1990-01-01", "x")]
    header = ("phone", "name", "region", "birthday", "note")
    campaign = make(rows, header=header, text="[{{region}}] {{name}}님 {{coupon|없음}}", purpose="informational")
    campaign.import_()
    assert campaign.run.columns == ["phone", "region", "name"]
    row = campaign.store.execute(f"SELECT payload_enc, row_no, phone_index FROM {campaign.staged}").fetchone()
    assert row is not None
    opened = campaign.ring.cipher(campaign.run.key).open(row[0], bound_to(*row[1:])).decode()
    assert opened.split(SEPARATOR) == ["01011112222", "부산 해운대구", "김  철수 "]


def test_rows_sealed_before_a_rotation_are_still_sent(make: Make, tmp_path: Path) -> None:
    campaign = make(150)
    path = Path(shutil.copy(campaign.databases.keyring, tmp_path / "ring.json"))
    campaign.ring = KeyRing.load(path)
    campaign.import_()
    campaign.freeze()
    campaign.ring = campaign.ring.rotated()
    campaign.ring.write(path)
    assert KeyRing.load(path).check_values() == campaign.ring.check_values()
    campaign.send_frozen()
    assert sorted(campaign.line_rows()) == numbers(150)
    later = make(1)
    later.ring = campaign.ring
    later.import_()
    sealed = later.value(f"SELECT payload_enc FROM {later.staged}")
    assert sealed[0] == 2


def test_a_changed_value_is_noticed_and_nothing_is_sent(make: Make) -> None:
    campaign = make(120)
    campaign.import_()
    campaign.freeze()
    campaign.tamper(
        "UPDATE recipients SET payload_enc = set_byte(payload_enc, 20, 255 - get_byte(payload_enc, 20)) "
        "WHERE run_id = %s AND recipient_no = 7",
        campaign.run.run_id,
    )
    with pytest.raises(KeyRingError, match="changed or sealed elsewhere"):
        campaign.send_frozen()
    assert campaign.line_rows() == []


def test_a_value_of_another_run_does_not_open(make: Make) -> None:
    one, other = make(100), make(100)
    for campaign in (one, other):
        campaign.import_()
        campaign.freeze()
    stolen = one.value("SELECT payload_enc FROM recipients WHERE run_id = %s AND recipient_no = 1", one.run.run_id)
    other.tamper(
        "UPDATE recipients SET payload_enc = %s WHERE run_id = %s AND recipient_no = 1", stolen, other.run.run_id
    )
    with pytest.raises(KeyRingError):
        other.send_frozen()


def test_a_row_moved_within_its_run_does_not_open_and_the_auditor_says_so(make: Make) -> None:
    campaign = make(100)
    campaign.import_()
    campaign.freeze()
    campaign.tamper(
        "UPDATE recipients r SET payload_enc = (SELECT payload_enc FROM recipients "
        "WHERE run_id = r.run_id AND recipient_no = 1) WHERE run_id = %s AND recipient_no = 2",
        campaign.run.run_id,
    )
    with pytest.raises(KeyRingError, match="changed or sealed elsewhere"):
        campaign.send_frozen()
    assert campaign.line_rows() == []
    found = audit(campaign.store, campaign.line, campaign.ring, campaign.run)
    assert (found.altered, found.clean) == (1, False)


def test_a_changed_index_does_not_get_a_person_past_the_refusals(make: Make) -> None:
    campaign = make(100)
    campaign.import_()
    campaign.freeze()
    campaign.tamper(
        "UPDATE recipients SET phone_index = %s WHERE run_id = %s AND recipient_no = 3",
        campaign.ring.blind_index("01099998888"),
        campaign.run.run_id,
    )
    with pytest.raises(KeyRingError, match="changed or sealed elsewhere"):
        campaign.send_frozen()
    assert campaign.line_rows() == []
    assert audit(campaign.store, campaign.line, campaign.ring, campaign.run).altered == 1


def test_a_wrong_ring_opens_nothing(make: Make, tmp_path: Path) -> None:
    campaign = make(100)
    campaign.import_()
    campaign.freeze()
    campaign.ring = KeyRing.create(tmp_path / "other.json")
    with pytest.raises(KeyRingError):
        campaign.send_frozen()
    assert campaign.line_rows() == []
    with pytest.raises(FileExistsError):
        KeyRing.create(tmp_path / "other.json")
    with pytest.raises(KeyRingError, match="BONGSU_KEYRING"):
        KeyRing.load(tmp_path / "none.json")


def test_a_person_erased_after_the_freeze_is_withdrawn(make: Make) -> None:
    campaign = make(100)
    campaign.import_()
    campaign.freeze()
    campaign.tamper(
        "UPDATE recipients SET phone_index = NULL, payload_enc = NULL WHERE run_id = %s AND recipient_no = 3",
        campaign.run.run_id,
    )
    campaign.send_frozen()
    assert len(campaign.line_rows()) == 99
    finish_rows(campaign, 6)
    campaign.collect()
    totals = close(campaign.store, campaign.run)
    assert (totals.withdrawn, totals.delivered) == (1, 99)

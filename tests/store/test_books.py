"""The books close, or say which equation does not; the report's numbers are the run's."""

from collections.abc import Callable

import pytest

from include.campaigns import runs
from include.reporting.books import OpenBooks, close
from include.reporting.report import load_report, render_report, run_of
from tests.store.conftest import Make
from tests.support import Campaign, finish_rows, numbers

pytestmark = pytest.mark.services


def sent(campaign: Campaign) -> Campaign:
    """Run up to the receipts: one in five fails."""
    campaign.send()
    finish_rows(campaign, 7, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 5) = 0")
    finish_rows(campaign, 6)
    return campaign


def in_store(statement: str) -> Callable[[Campaign], None]:
    def tamper(campaign: Campaign) -> None:
        campaign.collect()
        assert campaign.tamper(statement, campaign.run.run_id) > 0

    return tamper


def on_line(statement: str) -> Callable[[Campaign], None]:
    def tamper(campaign: Campaign) -> None:
        with campaign.carrier.cursor() as cursor:
            cursor.execute(statement, (f"{campaign.run.run_id}.0.5",))
        campaign.carrier.commit()
        campaign.collect()

    return tamper


COPY = (
    "INSERT INTO SMSQ_SEND_1 (dest_no, call_back, msg_contents, msg_type, sendreq_time, status_code, app_etc1, "
    "app_etc2) SELECT dest_no, call_back, msg_contents, msg_type, sendreq_time, 6, app_etc1, app_etc2 FROM SMSQ_SEND_1 "
    "WHERE app_etc1 = %s"
)


@pytest.mark.parametrize(
    ("tamper", "wrong"),
    [
        (
            in_store("DELETE FROM messages WHERE run_id = %s AND recipient_no = 5"),
            {"recipients = withdrawn + cancelled + claimed"},
        ),
        (
            in_store("DELETE FROM exclusions WHERE run_id = %s AND row_no = 302"),
            {"rows read = rejected + duplicates + excluded + recipients"},
        ),
        (
            in_store(
                "WITH chunk AS (UPDATE chunks SET state = 'planned' "
                "WHERE run_id = %s AND 5 BETWEEN first_no AND last_no RETURNING run_id) "
                "UPDATE messages m SET outcome = NULL FROM chunk c WHERE m.run_id = c.run_id "
                "AND m.recipient_no = 5"
            ),
            {"claimed = accepted + refused by the line + unknown", "accepted = rows on the line"},
        ),
        (on_line(COPY), {"accepted = rows on the line", "handed over twice = 0"}),
        (on_line("DELETE FROM SMSQ_SEND_1 WHERE app_etc1 = %s"), {"accepted = rows on the line"}),
    ],
    ids=["message lost", "exclusion lost", "chunk half handed over", "row twice", "row lost"],
)
def test_what_was_tampered_with_is_named(make: Make, tamper: Callable[[Campaign], None], wrong: set[str]) -> None:
    rows = [(number, "김") for number in numbers(300)] + [(numbers(1)[0], "김")]
    campaign = sent(make(rows))
    tamper(campaign)
    missing = wrong - {"accepted = delivered + failed + expired + waiting"}
    with pytest.raises(OpenBooks) as caught:
        close(campaign.store, campaign.run)
    assert set(caught.value.wrong) >= missing
    assert set(caught.value.wrong) <= wrong | {"accepted = rows on the line"}
    assert all(name in str(caught.value) for name in missing)
    closed, body = campaign.store.execute(
        "SELECT closed, body FROM certificates WHERE run_id = %s", [campaign.run.run_id]
    ).fetchone() or (None, None)
    assert closed is False
    assert body["totals"]["rows_read"] == 301
    report = load_report(campaign.store, campaign.run.run_id)
    assert report["books_closed"] is False
    assert "BOOKS OPEN" in render_report(report)


def test_a_report_has_the_numbers_of_the_run(make: Make) -> None:
    rows = [(n, "김") for n in numbers(250)] + [(n, "김") for n in numbers(30)]
    rows += [("02-123-4567", "김")] * 3 + [("", "김")]
    campaign = make(rows)
    campaign.store.execute(
        "INSERT INTO suppressions (tenant_id, phone_index, reason, source) VALUES (%s, %s, 'suppressed', 'x')",
        [campaign.tenant_id, campaign.ring.blind_index(numbers(1)[0])],
    )
    campaign.store.commit()
    with runs.stage(campaign.store, campaign.run, "import_targets"):
        campaign.send()
    finish_rows(campaign, 7, where="app_etc1 LIKE '%%0'")
    finish_rows(campaign, 16, where="app_etc1 LIKE '%%1'")
    finish_rows(campaign, 6)
    campaign.collect()
    totals = close(campaign.store, campaign.run)
    assert all(left == right for left, right in totals.equations().values())
    runs.set_state(campaign.store, campaign.run.run_id, "finished")
    assert run_of(campaign.store, campaign.spec.slug) == campaign.run.run_id
    report = load_report(campaign.store, campaign.run.run_id)
    assert set(report) >= {
        "run_id", "rows_read", "rejected", "duplicates", "excluded", "recipients", "chunks", "accepted", "delivered",
        "failed", "expired", "unknown", "books_closed", "stages",
    }  # fmt: skip
    wanted = {
        "rows_read": 284,
        "rejected": {"landline": 3, "empty": 1},
        "duplicates": 30,
        "excluded": {"suppressed": 1},
        "recipients": 249,
        "chunks": 3,
        "accepted": 249,
        "delivered": 200,
        "failed": {"7": 24, "16": 25},
        "expired": 0,
        "unknown": 0,
        "twice": 0,
        "waiting": 0,
        "send_rate": 100.0,
        "reach_rate": 80.32,
        "books_closed": True,
        "lines": {"SMSQ_SEND_1": 100, "SMSQ_SEND_2": 100, "SMSQ_SEND_3": 49},
    }
    assert {name: report[name] for name in wanted} == wanted
    assert list(report["stages"]) == ["import_targets"]
    assert render_report(report)[-1] == "books closed"


@pytest.mark.parametrize("table", ["report_chunks", "report_lines", "report_hours"])
def test_the_parts_of_a_report_add_up(make: Make, table: str) -> None:
    campaign = sent(make(250))
    campaign.collect()
    totals = close(campaign.store, campaign.run)
    found = campaign.store.execute(
        f"SELECT sum(accepted), sum(delivered), sum(failed), count(*) FROM {table} WHERE run_id = %s".encode(),
        [campaign.run.run_id],
    ).fetchone()
    assert found is not None
    assert found[:3] == (totals.accepted, totals.delivered, totals.failed) == (250, 200, 50)
    if table != "report_hours":
        assert found[3] == 3


def test_counting_again_gives_the_same(make: Make) -> None:
    campaign = sent(make(150))
    campaign.collect()
    first = close(campaign.store, campaign.run)
    assert close(campaign.store, campaign.run) == first
    assert campaign.value("SELECT count(*) FROM report_runs WHERE run_id = %s", campaign.run.run_id) == 1
    assert campaign.value("SELECT to_regclass(%s)", campaign.staged) is None


def test_a_run_that_sends_to_nobody_closes(make: Make) -> None:
    campaign = make([("02-123-4567", "김")])
    assert campaign.send() == [1]
    campaign.collect()
    totals = close(campaign.store, campaign.run)
    assert (totals.rows_read, totals.rejected, totals.accepted) == (1, 1, 0)
    report = load_report(campaign.store, campaign.run.run_id)
    assert (report["books_closed"], report["reach_rate"]) == (True, None)


def test_a_run_before_its_end_has_a_report(make: Make) -> None:
    campaign = make([("02-123-4567", "김"), ("01012345678", "김")])
    campaign.import_()
    report = load_report(campaign.store, campaign.run.run_id)
    assert (report["rows_read"], report["accepted"], report["books_closed"]) == (2, 0, False)
    runs.set_state(campaign.store, campaign.run.run_id, "refused", "too few rows")
    shown = render_report(load_report(campaign.store, campaign.run.run_id))
    assert "refused, nothing was sent" in shown[0]
    assert "too few rows" in shown

"""Receipts: from queue and logs, across months, once each, until the window closes."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from include.delivery.chunks import load_chunk
from include.delivery.receipts import expire, rows_waiting, window_closes
from include.reporting.audit import audit
from include.reporting.books import close
from include.reporting.report import load_report, render_report
from tests.store.conftest import Make
from tests.support import Campaign, finish_rows, numbers

pytestmark = pytest.mark.services

KST = timedelta(hours=9)


def month(moment: datetime) -> str:
    return (moment + KST).strftime("%Y%m")


def states(campaign: Campaign) -> Counter[str]:
    rows = campaign.store.execute(
        "SELECT state FROM message_states WHERE run_id = %s", [campaign.run.run_id]
    ).fetchall()
    campaign.store.commit()
    return Counter(state for (state,) in rows)


def events(campaign: Campaign) -> Counter[str]:
    rows = campaign.store.execute(
        "SELECT event FROM message_events WHERE run_id = %s", [campaign.run.run_id]
    ).fetchall()
    campaign.store.commit()
    return Counter(event for (event,) in rows)


def mark_handed_over(campaign: Campaign, moment: datetime) -> None:
    """Let the line have taken the run's chunks at ``moment``."""
    with campaign.carrier.cursor() as cursor:
        cursor.execute(
            "UPDATE BONGSU_HANDOVER SET handed_over_at = %s WHERE run_id = %s",
            ((moment + KST).replace(tzinfo=None), campaign.run.run_id),
        )
    campaign.carrier.commit()


def test_part_of_the_results_then_the_rest(make: Make) -> None:
    campaign = make(300)
    campaign.send()
    assert (campaign.collect().outstanding, states(campaign)["accepted"]) == (300, 300)
    finish_rows(campaign, 6, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 2) = 0")
    finish_rows(campaign, 7, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 10) = 1")
    looked = campaign.collect()
    assert looked.settled + looked.outstanding == 300
    assert looked.waiting == looked.outstanding > 0
    assert rows_waiting(campaign.line, ["SMSQ_SEND_1", "SMSQ_SEND_2"], campaign.run.run_id, 0) > 0
    assert load_chunk(campaign.store, campaign.run, 1).state == "accepted"
    finish_rows(campaign, 16)
    last = campaign.collect()
    assert last.tables == []
    assert (last.settled, last.outstanding, last.waiting) == (looked.outstanding, 0, 0)
    assert {load_chunk(campaign.store, campaign.run, number).state for number in (1, 2, 3)} == {"final"}
    codes = Counter(
        campaign.store.execute("SELECT result_code FROM messages WHERE run_id = %s", [campaign.run.run_id]).fetchall()
    )
    assert sum(codes.values()) == 300
    assert set(codes) == {(6,), (7,), (16,)}
    assert states(campaign) == events(campaign) == {"delivered": codes[6,], "failed": codes[7,] + codes[16,]}


def test_a_look_repeated_settles_nothing_twice(make: Make) -> None:
    campaign = make(100)
    campaign.send()
    finish_rows(campaign, 6, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 2) = 0")
    first = campaign.collect()
    assert campaign.collect().settled == 0
    finish_rows(campaign, 6)
    campaign.collect()
    assert campaign.collect().settled == 0
    assert events(campaign) == {"delivered": 100}
    assert first.settled == 50


def test_results_on_both_sides_of_a_month_and_in_the_queue(make: Make) -> None:
    campaign = make(300)
    campaign.send()
    now = datetime.now(UTC)
    earlier = now - timedelta(days=31)
    this, last = month(now), month(earlier)
    mark_handed_over(campaign, earlier)
    finish_rows(campaign, 6, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 3) = 0", move_to=last)
    finish_rows(campaign, 8, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 3) = 1", move_to=this)
    finish_rows(campaign, 6)
    looked = campaign.collect()
    assert (looked.settled, looked.outstanding) == (300, 0)
    totals = close(campaign.store, campaign.run)
    assert (totals.delivered, totals.failed, totals.line_rows, totals.twice) == (200, 100, 300, 0)


def test_logs_are_read_from_the_month_of_the_hand_over_and_not_of_its_acceptance(make: Make) -> None:
    """A try that died after the line's commit in one month, and the next one accepted the chunk in another."""
    campaign = make(100)
    campaign.send()
    mark_handed_over(campaign, datetime(2027, 3, 31, 14, 59, tzinfo=UTC))  # 23:59 in Seoul
    campaign.store.execute(
        "UPDATE chunks SET handed_over_at = %s WHERE run_id = %s",
        [datetime(2027, 4, 2, tzinfo=UTC), campaign.run.run_id],
    )
    campaign.store.commit()
    finish_rows(campaign, 6, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 2) = 0", move_to="202703")
    finish_rows(campaign, 6, move_to="202704")
    assert campaign.collect().settled == 100


def test_a_chunk_whose_marker_is_gone_is_looked_for_in_every_log(make: Make) -> None:
    campaign = make(100)
    campaign.send()
    with campaign.carrier.cursor() as cursor:
        cursor.execute("DELETE FROM BONGSU_HANDOVER WHERE run_id = %s", (campaign.run.run_id,))
    campaign.carrier.commit()
    finish_rows(campaign, 6, move_to="202703")
    assert campaign.collect().settled == 100


def test_the_window_closes_on_what_has_no_receipt(make: Make) -> None:
    campaign = make(200)
    campaign.send()
    finish_rows(campaign, 6, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 4) <> 0")
    campaign.collect()
    closes = window_closes(campaign.store, campaign.run)
    assert timedelta(hours=71.9) < closes - datetime.now(UTC) <= timedelta(hours=72)
    assert expire(campaign.store, campaign.run) == 50
    assert expire(campaign.store, campaign.run) == 0
    assert states(campaign) == {"delivered": 150, "expired": 50}
    assert {load_chunk(campaign.store, campaign.run, number).state for number in (1, 2)} == {"final"}
    finish_rows(campaign, 6)
    assert campaign.collect().settled == 0, "a receipt after the window changes nothing"
    totals = close(campaign.store, campaign.run)
    assert (totals.expired, totals.waiting) == (50, 0)


def test_a_chunk_of_which_nobody_is_left_is_final(make: Make) -> None:
    campaign = make(200)
    campaign.import_()
    campaign.freeze()
    with campaign.store.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO suppressions (tenant_id, phone_index, reason, source) VALUES (%s, %s, 'suppressed', 'x')",
            [(campaign.tenant_id, campaign.ring.blind_index(number)) for number in numbers(100)],
        )
    campaign.store.commit()
    campaign.send_frozen()
    assert len(campaign.line_rows()) == 100
    finish_rows(campaign, 6)
    assert campaign.collect().outstanding == 0
    assert {load_chunk(campaign.store, campaign.run, number).state for number in (1, 2)} == {"final"}
    totals = close(campaign.store, campaign.run)
    assert (totals.recipients, totals.withdrawn, totals.delivered) == (200, 100, 100)


def test_delivered_means_the_code_of_the_kind(make: Make) -> None:
    rows = [(number, "긴" * 60 if place % 2 else "짧은") for place, number in enumerate(numbers(100))]
    campaign = make(rows, message={"allow_lms": True})
    campaign.send()
    finish_rows(campaign, 6, where="msg_type = 'S'")
    finish_rows(campaign, 1000, where="msg_type = 'L'")
    campaign.collect()
    assert states(campaign) == {"delivered": 100}


def test_a_receipt_is_dated_by_the_line(make: Make) -> None:
    campaign = make(100)
    campaign.send()
    finish_rows(campaign, 6)
    campaign.collect()
    late = campaign.value(
        "SELECT max(abs(extract(epoch FROM finished_at - accepted_at))) FROM message_states WHERE run_id = %s",
        campaign.run.run_id,
    )
    assert late < 60, "Seoul's clock on the line and UTC in the store are the same moment"


def spoil(campaign: Campaign, change: str) -> None:
    """Let the carrier's side write ``change`` into the finished row of recipient 5."""
    with campaign.carrier.cursor() as cursor:
        key = (f"{campaign.run.run_id}.0.5",)
        done = cursor.execute(f"UPDATE SMSQ_SEND_1 SET {change} WHERE app_etc1 = %s", key)
    campaign.carrier.commit()
    assert done == 1


@pytest.mark.parametrize(
    "key",
    [
        "NULL",
        "''",
        "'rubbish'",
        "'1.0.'",
        "'1.0.5'",
        "CONCAT(app_etc1, 'x')",
        "CONCAT(app_etc1, '.1')",
        "REPLACE(app_etc1, '.0.', '.1.')",
        "REPLACE(app_etc1, '.0.5', '.0.05')",
        "REPLACE(app_etc1, '.0.5', '.0.-5')",
        "REPLACE(app_etc1, '.0.5', '.0.99999999999999999999')",
        "REPLACE(app_etc1, '.0.5', '.0.101')",
    ],
)
def test_a_row_whose_key_is_no_message_of_its_chunk_is_counted_apart_and_stops_nothing(make: Make, key: str) -> None:
    campaign = make(200)
    campaign.send()
    finish_rows(campaign, 6)
    spoil(campaign, f"app_etc1 = {key}")
    looked = campaign.collect()
    assert (looked.settled, looked.outstanding, looked.waiting) == (199, 1, 0)
    assert expire(campaign.store, campaign.run) == 1
    totals = close(campaign.store, campaign.run)
    assert (totals.delivered, totals.expired, totals.line_rows, totals.twice, totals.stray) == (199, 1, 200, 0, 1)
    report = load_report(campaign.store, campaign.run.run_id)
    assert "odd rows on line              1" in render_report(report)


@pytest.mark.parametrize(
    "moment", ["NULL", "'0000-00-00'", "'1900-01-01'", "'1969-12-31'", "'2100-01-01'", "'9999-12-31'"]
)
def test_a_result_without_a_possible_time_is_dated_when_it_is_collected(make: Make, moment: str) -> None:
    campaign = make(100)
    campaign.send()
    finish_rows(campaign, 6)
    with campaign.carrier.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")  # as the carrier's own session may be
    times = f"repmsg_recvtm = {moment}, mobsend_time = {moment}"
    spoil(campaign, times if moment != "NULL" else f"{times}, sendreq_time = '0000-00-00'")
    looked = campaign.collect()
    assert (looked.settled, looked.outstanding) == (100, 0)
    late = campaign.value(
        "SELECT max(abs(extract(epoch FROM finished_at - accepted_at))) FROM message_states WHERE run_id = %s",
        campaign.run.run_id,
    )
    assert late < 600
    totals = close(campaign.store, campaign.run)
    assert (totals.delivered, totals.stray) == (100, 0)
    assert not any("odd rows" in line for line in render_report(load_report(campaign.store, campaign.run.run_id)))


@pytest.mark.parametrize("code", ["'ok'", "''", "NULL", "'6x'", "'99999999999'"])
def test_a_result_code_that_is_no_number_is_counted_apart_and_stops_nothing(make: Make, code: str) -> None:
    """On a line whose tables the carrier has made in his own way."""
    campaign = make(100)
    campaign.send()
    finish_rows(campaign, 6)
    with campaign.carrier.cursor() as cursor:
        cursor.execute("ALTER TABLE SMSQ_SEND_1 MODIFY status_code VARCHAR(12) NULL")
    try:
        spoil(campaign, f"status_code = {code}")
        looked = campaign.collect()
        recounted = audit(campaign.store, campaign.line, campaign.ring, campaign.again())
    finally:
        with campaign.carrier.cursor() as cursor:
            cursor.execute("DELETE FROM SMSQ_SEND_1 WHERE app_etc1 = %s", (f"{campaign.run.run_id}.0.5",))
            cursor.execute("ALTER TABLE SMSQ_SEND_1 MODIFY status_code INT NOT NULL DEFAULT 100")
        campaign.carrier.commit()
    assert (looked.settled, looked.outstanding, looked.waiting) == (99, 1, 0)
    stray = campaign.value("SELECT sum(stray) FROM chunks WHERE run_id = %s", campaign.run.run_id)
    assert stray == 1
    assert (recounted.clean, recounted.delivered, recounted.waiting) == (True, 99, 1)

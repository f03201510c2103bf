"""A cancelled run: what has not left is taken back, what has is settled, and the books close."""

from pathlib import Path
from typing import Any

import pytest

from include.campaigns import runs
from include.delivery import dispatch
from include.delivery.chunks import plan_chunks
from include.delivery.dispatch import Dispatched
from include.errors import Refused, RunOver
from include.pipeline.cancel import Cancelled, cancel
from include.queries import query
from include.reporting.audit import audit
from include.reporting.books import close
from include.reporting.report import load_report, render_report
from tests.store.conftest import Make
from tests.support import Campaign, finish_rows

pytestmark = pytest.mark.services


def frozen(campaign: Campaign) -> Campaign:
    campaign.import_()
    campaign.freeze()
    plan_chunks(campaign.store, campaign.run)
    runs.set_state(campaign.store, campaign.run.run_id, "sending")
    return campaign


def stop(campaign: Campaign) -> Cancelled:
    return cancel(campaign.store, campaign.line, campaign.ring, campaign.run.run_id, "a wrong price")


def test_what_has_not_left_is_taken_back_and_what_has_is_settled(make: Make) -> None:
    campaign = frozen(make(350))
    campaign.dispatch(1)
    campaign.dispatch(3)
    finish_rows(campaign, 6)
    done = stop(campaign)
    assert (done.totals.recipients, done.totals.accepted, done.totals.cancelled) == (350, 200, 150)
    assert (done.totals.delivered, done.waiting) == (200, 0)
    assert campaign.again().state == "cancelled"
    assert len(campaign.line_rows()) == 200
    report = load_report(campaign.store, campaign.run.run_id)
    assert (report["books_closed"], report["cancelled"]) == (True, 150)
    assert "cancelled: a wrong price" in render_report(report)
    found = audit(campaign.store, campaign.line, campaign.ring, campaign.run)
    assert (found.clean, found.agrees_with_certificate, found.cancelled) == (True, True, 150)


def test_no_chunk_of_a_cancelled_run_leaves_however_often_it_is_tried(make: Make) -> None:
    campaign = frozen(make(150))
    stop(campaign)
    assert campaign.dispatch(1) == Dispatched(0, 0, already=True, cancelled=100)
    assert campaign.line_rows() == []


def test_a_chunk_that_the_line_has_taken_is_not_taken_back(make: Make) -> None:
    campaign = frozen(make(100))
    campaign.dispatch(1)
    campaign.store.execute("UPDATE chunks SET state = 'planned', accepted = 0 WHERE run_id = %s", [campaign.run.run_id])
    campaign.store.commit()
    done = stop(campaign)
    assert (done.totals.accepted, done.totals.cancelled, done.waiting) == (100, 0, 100)
    assert campaign.again().state == "cancelling"
    finish_rows(campaign, 6)
    done = stop(campaign)
    assert (done.totals.delivered, done.waiting) == (100, 0)
    assert campaign.again().state == "cancelled"
    assert campaign.value("SELECT count(*) FROM certificates WHERE run_id = %s", campaign.run.run_id) == 2


def test_a_claimed_chunk_that_never_left_is_taken_back(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = frozen(make(100))
    with monkeypatch.context() as patched:
        patched.setattr("include.delivery.dispatch._queue_rows", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            campaign.dispatch(1)
    assert campaign.value("SELECT count(*) FROM messages WHERE run_id = %s", campaign.run.run_id) == 100
    assert stop(campaign).totals.cancelled == 100


def test_a_cancel_while_a_chunk_is_made_ready_takes_it_back_whatever_else_is_stopped(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = frozen(make(100))
    make_ready = dispatch._queue_rows

    def halted_and_cancelled(*arguments: Any) -> Any:
        with campaign.databases.platform() as platform:
            platform.execute("INSERT INTO kill_switches VALUES (%s, 'x')", [campaign.tenant_id])
        with campaign.databases.store(campaign.tenant_id) as other:
            other.execute(query("runs/cancel"), {"run": campaign.run.run_id, "reason": "a wrong price"})
        return make_ready(*arguments)

    monkeypatch.setattr("include.delivery.dispatch._queue_rows", halted_and_cancelled)
    assert campaign.dispatch(1) == Dispatched(0, 0, already=False, cancelled=100)
    assert campaign.line_rows() == []
    monkeypatch.undo()
    assert stop(campaign).totals.cancelled == 100


@pytest.mark.parametrize("imported", [False, True])
def test_a_run_that_is_not_frozen_closes_with_zeros_and_freezes_no_more(make: Make, imported: bool) -> None:
    campaign = make([("01012345678", "김"), ("02-123-4567", "이")])
    if imported:
        campaign.import_()
    done = stop(campaign)
    assert (done.totals.rows_read, done.totals.rejected, done.totals.recipients) == (0, 0, 0)
    assert campaign.again().state == "cancelled"
    with pytest.raises(RunOver, match="cancelled"):
        campaign.freeze()


def test_cancelling_again_changes_nothing(make: Make) -> None:
    campaign = frozen(make(100))
    assert stop(campaign) == stop(campaign)
    assert campaign.value("SELECT count(*) FROM certificates WHERE run_id = %s", campaign.run.run_id) == 1


def test_a_finished_or_refused_run_is_not_cancelled(make: Make) -> None:
    campaign = frozen(make(100))
    campaign.dispatch(1)
    finish_rows(campaign, 6)
    campaign.collect()
    close(campaign.store, campaign.run)
    runs.set_state(campaign.store, campaign.run.run_id, "finished")
    with pytest.raises(Refused, match="is finished"):
        stop(campaign)
    refused = make(1)
    runs.set_state(refused.store, refused.run.run_id, "refused", "gate: too few")
    with pytest.raises(Refused, match="is refused"):
        stop(refused)


def test_books_are_certified_again_only_when_they_say_something_else(make: Make, tmp_path: Path) -> None:
    campaign = frozen(make(100))
    campaign.dispatch(1)
    finish_rows(campaign, 6)
    campaign.collect()
    for _ in range(3):
        close(campaign.store, campaign.run)
    assert campaign.value("SELECT count(*) FROM certificates WHERE run_id = %s", campaign.run.run_id) == 1

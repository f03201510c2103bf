"""How a run ends: what its last stages write on it, and what they tell."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from include.backup.line import close_chunks
from include.backup.manifest import OpenChunk
from include.cli.reports import exit_code
from include.delivery.chunks import plan_chunks
from include.delivery.dispatch import Dispatched
from include.errors import Refused, RunOver
from include.reporting.books import close
from include.reporting.report import load_report, render_report
from operators.aggregate_results import AggregateResultsOperator, _end_without_success
from tests.store.conftest import Make

pytestmark = pytest.mark.services


@pytest.mark.parametrize("frozen", [False, True])
def test_a_run_of_which_something_may_have_left_is_never_called_refused(make: Make, frozen: bool) -> None:
    campaign = make(5)
    if frozen:
        campaign.send()
    stage = AggregateResultsOperator(task_id="x", tenant_id=campaign.tenant_id, run_id=campaign.run.run_id)
    stage.__dict__["store_hook"] = SimpleNamespace(get_conn=lambda tenant: nullcontext(campaign.store))
    with pytest.raises(Refused), stage.opened_run():
        raise Refused("a rule that is new")
    assert (campaign.again().state == "refused") is not frozen


def test_a_run_with_results_missing_is_no_success(make: Make) -> None:
    campaign = make(5)
    campaign.send()
    campaign.collect()
    totals = close(campaign.store, campaign.run)
    assert totals.waiting == 5
    with pytest.raises(RunOver, match=r"5 of the 5 messages .* have no result yet\. Clear collect_receipts"):
        _end_without_success(campaign.again(), totals)


def test_a_run_with_messages_of_which_nobody_can_tell_is_no_success(make: Make) -> None:
    campaign = make(5)
    campaign.import_()
    campaign.freeze()
    (chunk,) = plan_chunks(campaign.store, campaign.run)
    # as a restore does with a chunk that may have gone out since the backup
    close_chunks(campaign.carrier, [OpenChunk(campaign.run.run_id, 0, chunk, "SMSQ_SEND_1")])
    assert campaign.dispatch(chunk) == Dispatched(0, 0, already=True, unknown=5)
    campaign.collect()
    totals = close(campaign.store, campaign.run)
    assert (totals.claimed, totals.unknown, totals.accepted) == (5, 5, 0)
    with pytest.raises(RunOver, match="Of 5 messages nobody can tell whether they have gone out"):
        _end_without_success(campaign.again(), totals)
    report = load_report(campaign.store, campaign.run.run_id)
    assert exit_code({**report, "state": "finished"}) == 1, "a script that repeats what was not sent leaves it alone"
    assert "nothing was sent" not in "\n".join(render_report({**report, "state": "finished"}))

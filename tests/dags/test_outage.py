"""An outage that outlasts the tries: the run fails, and clear resumes it."""

import pytest

from tests.airflow_runs import RunningAirflow, Started, until
from tests.dags.test_surprises import store_away

pytestmark = pytest.mark.airflow


def test_a_run_that_an_outage_has_outlasted_is_resumed_by_clear(airflow: RunningAirflow) -> None:
    campaign = airflow.apply(airflow.define("outlasted", 100, chunk_size=100))
    with airflow.held_lines("SMSQ_SEND_1"):
        # made while the DAG is paused, so that nothing has begun when the last tries are taken away
        dag_run_id = "test-outlasted"
        airflow.api.start(campaign.dag_id, dag_run_id, {})
        with airflow.store("airflow") as metadata:
            metadata.execute(
                "UPDATE task_instance SET max_tries = 0 WHERE run_id = %s AND task_id = 'dispatch'", [dag_run_id]
            )
        run = Started(airflow, campaign.dag_id, dag_run_id)
        airflow.api.unpause(campaign.dag_id)
        until("a chunk that waits for its line", lambda: airflow.writers("GET_LOCK('SMSQ_SEND_1'"))
        with store_away(airflow):
            pass
    run.wait("failed")
    assert run.states("dispatch") == ["failed"]
    # what other chunks handed over would have its results, and the books say what is missing
    assert [run.states(task) for task in ("collect_receipts", "aggregate_results")] == [["success"], ["failed"]]
    (chunk,) = run.tasks("dispatch")
    log = "\n".join(airflow.api.log(run.dag_id, run.dag_run_id, chunk, 400))
    assert "The campaign store (PostgreSQL)" in log
    assert "It has been tried 25 times and is not tried again." in log
    assert "Then clear the task: nothing is sent twice." in log

    run.clear("dispatch", "collect_receipts", "aggregate_results")
    run.wait()
    assert run.handed().sent == {f"{run.run_id}.0.{number}": 1 for number in range(1, 101)}
    assert run.row()["certificate"]["closed"] is True
    # the cleared task has all its tries again
    assert [one["max_tries"] - one["try_number"] for one in run.instances() if one["task_id"] == "dispatch"] == [23]

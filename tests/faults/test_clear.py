"""Clearing and rerunning tasks of a finished run sends nothing and changes nothing."""

from typing import Any

import pytest

from tests.airflow_runs import TASKS, Started
from tests.dirty_run import DirtyRun

pytestmark = pytest.mark.airflow


def proof(run: Started) -> dict[str, Any]:
    """What must not change."""
    row = run.row()
    certificate = {name: value for name, value in row["certificate"].items() if name != "created_at"}
    totals = {name: value for name, value in row["totals"].items() if name != "updated_at"}
    return {"handed": run.handed(), "state": row["state"], "certificate": certificate, "totals": totals}


def tries(run: Started, task_id: str) -> list[int]:
    return [task.try_number for task in run.tasks(task_id)]


@pytest.mark.parametrize("task_id", TASKS)
def test_a_cleared_task_runs_again_and_sends_nothing(dirty_run: DirtyRun, task_id: str) -> None:
    run = dirty_run.run
    before, tried = proof(run), tries(run, task_id)
    run.clear(task_id)
    run.wait()
    assert tries(run, task_id) == [number + 1 for number in tried]
    assert proof(run) == before
    assert before["certificate"]["closed"] is True


def test_a_cleared_run_runs_again_and_sends_nothing(dirty_run: DirtyRun) -> None:
    run = dirty_run.run
    before, tried = proof(run), {task_id: tries(run, task_id) for task_id in TASKS}
    run.clear()
    run.wait()
    assert {task_id: tries(run, task_id) for task_id in TASKS} == {
        task_id: [number + 1 for number in numbers] for task_id, numbers in tried.items()
    }
    assert proof(run) == before

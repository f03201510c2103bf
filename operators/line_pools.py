"""Cluster policy: each mapped dispatch waits in the pool of its own line.

A mapped task has one pool for all its instances; Airflow's policy hook may give each instance another. Chunks go round
the lines in order, so the line follows from the map index.
"""

from typing import TYPE_CHECKING, Any

from airflow.policies import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance


def pool_of(line_no: int) -> str:
    """Name of a line's pool."""
    return f"sms_line_{line_no}"


@hookimpl
def task_instance_mutation_hook(task_instance: "TaskInstance", dag_run: "DagRun | None") -> None:
    """Give a mapped dispatch the pool of its line; every other task keeps its own."""
    if task_instance.map_index < 0 or task_instance.task_id != "dispatch" or task_instance.task is None:
        return
    arguments: dict[str, Any] = getattr(task_instance.task, "partial_kwargs", {})
    lines = arguments.get("lines")
    if not lines:
        return
    task_instance.pool = pool_of(lines[task_instance.map_index % len(lines)])

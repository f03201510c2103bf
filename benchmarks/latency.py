"""Row 6: what a campaign of ten people takes through Airflow, beside a DAG of the same shape that does nothing.

Each run of the campaign has a twin: the empty DAG defers when the campaign's run had to, and only then, because a
deferral takes Airflow as long as five tasks.
"""

import time

from benchmarks.airflow_home import Course, OwnAirflow, own_airflow
from benchmarks.measure import Bench, Measured

RUNS = 5
EMPTY_DAG = "bench_empty_campaign"
DAG_SECONDS = 120.0


def measure(bench: Bench) -> list[Measured]:
    """Runs of both by turns; the median ratio of a run to its twin counts."""
    ours: list[Course] = []
    empty: list[Course] = []
    airflow = own_airflow(bench)
    _wait_for_empty(airflow)
    airflow.run(EMPTY_DAG)
    for _ in range(3 if bench.small else max(RUNS, bench.repeats)):
        ours.append(course := airflow.run(airflow.ten))
        empty.append(airflow.run(EMPTY_DAG, defer=any(task.resumed for task in course.tasks)))
    pairs = sorted(zip(ours, empty, strict=True), key=lambda pair: pair[0].seconds / pair[1].seconds)
    chosen, limit = pairs[len(pairs) // 2]
    return [
        Measured.at_most(
            "10-recipient campaign through Airflow",
            chosen.seconds,
            limit.seconds,
            1.5,
            against="an empty DAG of the same shape",
            rows=chosen.rows,
            note=_lost(chosen, limit),
        )
    ]


def _wait_for_empty(airflow: OwnAirflow) -> None:
    limit = time.monotonic() + DAG_SECONDS
    while not airflow.has(EMPTY_DAG):
        if time.monotonic() > limit:
            raise TimeoutError(f"Airflow has not parsed {EMPTY_DAG} in {DAG_SECONDS:.0f} s")
        time.sleep(0.5)


def _lost(ours: Course, empty: Course) -> str:
    """How much longer each task runs than its empty twin, from start to end."""
    bare = {task.task_id: task.ended - task.started for task in empty.tasks}
    shown = (f"{task.task_id} {task.ended - task.started - bare[task.task_id]:+.1f}" for task in ours.tasks)
    return f"seconds beside the empty task: {', '.join(shown)}"

"""Row 5: a whole campaign through Airflow, from the trigger to the certificate, beside the sum of its stages alone."""

import time

from benchmarks.airflow_home import Course, OwnAirflow, own_airflow
from benchmarks.campaign import customer_file
from benchmarks.measure import Bench, Measured
from benchmarks.stages import STAGES, stage_seconds
from benchmarks.task_memory import TaskMemory

LONGEST = 120.0
REPEATS_SECONDS = 240.0
"""No further run is begun after so many seconds of runs."""


def measure(bench: Bench) -> list[Measured]:
    """One run in the small version; in the full one as many as time allows, of which the median counts."""
    alone = stage_seconds(bench)
    courses: list[Course] = []
    airflow = own_airflow(bench)
    campaign = airflow.apply("bench-whole", customer_file(bench), bench.folder)
    started = time.monotonic()
    while len(courses) < (1 if bench.small else bench.repeats) and time.monotonic() - started < REPEATS_SECONDS:
        courses.append(watched_run(bench, airflow, campaign))
    chosen = sorted(courses, key=lambda course: course.certified or 0)[len(courses) // 2]
    assert chosen.certified is not None
    return [
        Measured.at_most(
            "whole campaign through Airflow",
            chosen.certified,
            sum(map(alone.ours, STAGES)),
            1.5,
            against="the sum of import, dispatch, collect and books measured alone",
            rows=bench.rows,
            note=f"the carrier's agents alone take {alone.agents:.1f} s for the same messages; in the run, "
            + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in chosen.stages.items()),
        ),
        Measured.bound(
            "whole campaign, wall time", chosen.certified, most=LONGEST, unit="s", rows=bench.rows, note=_apart(chosen)
        ),
    ]


def watched_run(bench: Bench, airflow: OwnAirflow, dag_id: str) -> Course:
    """A run, with the memory that its tasks took left for row 9: the most of any run, by size and task."""
    with TaskMemory(airflow.scheduler) as memory:
        course = airflow.run(dag_id)
    kept = bench.kept.setdefault("task_peaks", {})
    assert isinstance(kept, dict)
    peaks = kept.setdefault(course.rows, {})
    for task in course.tasks:
        peaks[task.task_id] = max(peaks.get(task.task_id, 0.0), memory.peak(task.id))
    return course


def _apart(course: Course) -> str:
    """When each task began and ended, in seconds after the trigger: what no task accounts for is Airflow's."""
    spans: dict[str, tuple[float, float]] = {}
    for task in course.tasks:
        first, last = spans.get(task.task_id, (task.started, task.ended))
        spans[task.task_id] = min(first, task.started), max(last, task.ended)
    by_time = sorted(spans.items(), key=lambda item: item[1])
    return ", ".join(f"{name} {first:.1f}-{last:.1f}" for name, (first, last) in by_time)

"""Row 5: a whole campaign through Airflow, from the trigger to the certificate, beside the sum of its stages alone."""

import statistics
import time
from contextlib import closing
from functools import partial

from benchmarks.airflow_home import Course, OwnAirflow, own_airflow
from benchmarks.campaign import Campaign, Dispatchers, customer_file
from benchmarks.measure import Bench, Measured
from benchmarks.task_memory import TaskMemory
from include.embedded.state import Level

NEEDS = Level.databases
STAGES = ("import", "dispatch", "collect", "books")
LONGEST = 120.0
REPEATS_SECONDS = 240.0
"""No further run is begun after so many seconds of runs."""


def measure(bench: Bench) -> list[Measured]:
    """One run in the small version; in the full one as many as time allows, of which the median counts."""
    stages = _stage_seconds(bench)
    courses: list[Course] = []
    with own_airflow(bench) as airflow:
        airflow.warm_up(bench.folder)
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
            sum(stages.values()),
            1.5,
            against="the sum of import, dispatch, collect and books measured alone",
            rows=bench.rows,
            note=", ".join(f"{stage} {seconds:.1f}" for stage, seconds in chosen.stages.items()),
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


def _stage_seconds(bench: Bench) -> dict[str, float]:
    """What rows 1 to 4 have left, or the same measured now."""
    kept = bench.kept.get("stage_seconds")
    if isinstance(kept, dict) and set(STAGES) <= set(kept):
        return {stage: float(kept[stage]) for stage in STAGES}
    file = customer_file(bench)
    seconds: dict[str, list[float]] = {stage: [] for stage in STAGES}
    with closing(Dispatchers()) as processes:
        for _ in range(1 + (1 if bench.small else bench.repeats)):
            campaign = Campaign.create(file, bench.folder)
            seconds["import"].append(bench.seconds(campaign.import_and_freeze))
            seconds["dispatch"].append(bench.seconds(partial(campaign.dispatch, processes)))
            campaign.deliver()
            seconds["collect"].append(bench.seconds(campaign.collect))
            seconds["books"].append(bench.seconds(campaign.close_books))
            campaign.remove()
    # the first one warms up
    return {stage: statistics.median(taken[1:]) for stage, taken in seconds.items()}


def _apart(course: Course) -> str:
    """When each task began and ended, in seconds after the trigger: what no task accounts for is Airflow's."""
    spans: dict[str, tuple[float, float]] = {}
    for task in course.tasks:
        first, last = spans.get(task.task_id, (task.started, task.ended))
        spans[task.task_id] = min(first, task.started), max(last, task.ended)
    by_time = sorted(spans.items(), key=lambda item: item[1])
    return ", ".join(f"{name} {first:.1f}-{last:.1f}" for name, (first, last) in by_time)

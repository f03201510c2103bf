"""Row 9: the peak memory of each task, beside the same task's at a tenth of the audience.

The small version compares with six tenths: below half of it the import does not take its further processes yet, which
is a step and not a growth.
"""

from benchmarks.airflow_home import own_airflow
from benchmarks.campaign import customer_file
from benchmarks.measure import SEED, Bench, Measured
from benchmarks.whole import watched_run
from sandbox.customers import generate

MOST_MIB = 450.0
LONG = {"import_targets", "dispatch"}
"""Tasks that are never over between two looks. A guard may be, and then it took what every task takes."""


def measure(bench: Bench) -> list[Measured]:
    """The runs of row 5, or one of their size when that row was not measured, and one of a part of it."""
    small = bench.rows * 6 // 10 if bench.small else bench.rows // 10
    part = bench.folder / f"customers-{small}.csv"
    generate(part, small, SEED)
    airflow = own_airflow(bench)
    if bench.rows not in _peaks(bench):
        watched_run(bench, airflow, airflow.apply("bench-whole", customer_file(bench), bench.folder))
    watched_run(bench, airflow, airflow.apply("bench-part", part, bench.folder))
    large, little = _peaks(bench)[bench.rows], _peaks(bench)[small]
    seen = [task for task, peak in large.items() if peak and little[task]]
    if unseen := LONG.difference(seen):
        raise RuntimeError(f"No process of {', '.join(unseen)} was seen; their titles are cut off too early")
    worst = max(seen, key=lambda task: large[task] / little[task])
    highest = max(large, key=lambda task: large[task])
    return [
        Measured.at_most(
            "peak memory of a task, worst ratio",
            large[worst],
            little[worst],
            1.2,
            unit="MiB",
            against=f"the same task at {small:,} rows: {worst}",
            rows=bench.rows,
            note=", ".join(f"{task} {large[task]:.0f}/{little[task]:.0f}" for task in seen),
        ),
        Measured.bound(
            "peak memory of a task, highest", large[highest], most=MOST_MIB, unit="MiB", rows=bench.rows, note=highest
        ),
    ]


def _peaks(bench: Bench) -> dict[int, dict[str, float]]:
    """MiB by rows of the file and task."""
    kept = bench.kept.setdefault("task_peaks", {})
    assert isinstance(kept, dict)
    return kept

"""Rows 1 to 4 of the table: the stages of a campaign, each beside what the databases under it can do.

The stages follow each other on the same runs, so a row that is measured later finds the runs of the one before it.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import psycopg

from benchmarks import limits
from benchmarks.campaign import Campaign, Dispatchers, customer_file
from benchmarks.measure import Bench, Measured
from include.embedded.state import Level
from include.settings import settings

NEEDS = Level.databases


@contextmanager
def owner() -> Iterator[psycopg.Connection]:
    """The store as the owner of its tables, who may create one."""
    with psycopg.connect(settings().owner_url) as connection:
        yield connection


def campaigns(bench: Bench) -> list[Campaign]:
    """The runs of these benchmarks, one for each repeat and one more that warms up."""
    found = bench.kept.get("campaigns")
    if found is None:
        file = customer_file(bench)
        found = [Campaign.create(file, bench.folder) for _ in range(bench.repeats + 1)]
        bench.kept["campaigns"] = found
    assert isinstance(found, list)
    return found


def keep_seconds(bench: Bench, stage: str, seconds: float) -> None:
    """Leave what a stage took for the row about the whole."""
    kept = bench.kept.setdefault("stage_seconds", {})
    assert isinstance(kept, dict)
    kept[stage] = seconds


def importing(bench: Bench) -> list[Measured]:
    """Row 1."""
    file = customer_file(bench)
    started = time.perf_counter()
    import great_expectations  # noqa: F401  # its import is not part of the stage's time; it is shown beside it

    library = time.perf_counter() - started
    ours, limit = [], []
    with owner() as connection:
        for campaign in campaigns(bench):
            limit.append(bench.seconds(partial(limits.copy_file, connection, file)))
            ours.append(bench.seconds(campaign.import_and_freeze))
    seconds, copying = statistics.median(ours[1:]), statistics.median(limit[1:])
    keep_seconds(bench, "import", seconds)
    bench.kept["import_rate"] = bench.rows / seconds
    return [
        Measured.at_most(
            "import + validate + dedupe + freeze",
            seconds,
            copying,
            15,
            against="COPY of the same file into an unlogged table",
            rows=bench.rows,
            note=f"without the import of Great Expectations, {library:.1f} s",
        )
    ]


def dispatching(bench: Bench) -> list[Measured]:
    """Row 2."""
    ours, limit = [], []
    processes = Dispatchers()
    people = 0
    try:
        for campaign in campaigns(bench):
            campaign.import_and_freeze()
            people = campaign.recipients()
            ours.append(people / bench.seconds(partial(campaign.dispatch, processes)))
            finished = limits.FinishedRows(campaign)
            limit.append(people / bench.seconds(partial(finished.load, processes)))
            finished.remove()
    finally:
        processes.close()
    rate = statistics.median(ours[1:])
    keep_seconds(bench, "dispatch", people / rate)
    bench.kept["dispatch_rate"] = rate
    return [
        Measured.at_least(
            "dispatch",
            rate,
            statistics.median(limit[1:]),
            0.5,
            against=f"LOAD DATA of the finished rows over {processes.count} connections",
            rows=people,
            unit="messages/s",
        ),
        Measured.bound("dispatch, messages a second", rate, least=100_000, unit="messages/s", rows=people),
    ]


def collecting(bench: Bench) -> list[Measured]:
    """Row 3."""
    ours, limit = [], []
    people = 0
    with owner() as connection:
        for campaign in campaigns(bench):
            campaign.deliver()
            people = campaign.recipients()
            limit.append(bench.seconds(partial(limits.read_and_copy, connection, campaign)))
            ours.append(bench.seconds(campaign.collect))
    seconds = statistics.median(ours[1:])
    keep_seconds(bench, "collect", seconds)
    return [
        Measured.at_most(
            "collect receipts",
            seconds,
            statistics.median(limit[1:]),
            4,
            against="reading the same rows from MariaDB and COPYing them",
            rows=people,
        )
    ]


def books(bench: Bench) -> list[Measured]:
    """Row 4."""
    ours, limit = [], []
    people = 0
    for campaign in campaigns(bench):
        campaign.collect()
        people = campaign.recipients()
        limits.scan_messages(campaign)
        share = limits.share_of_month(campaign)
        limit.append(share * bench.seconds(partial(limits.scan_messages, campaign)))
        ours.append(bench.seconds(campaign.close_books))
    seconds = statistics.median(ours[1:])
    keep_seconds(bench, "books", seconds)
    return [
        Measured.at_most(
            "books and report",
            seconds,
            statistics.median(limit[1:]),
            4,
            against="one sequential scan of the run's messages",
            rows=people,
        )
    ]

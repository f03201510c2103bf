"""Rows 1 to 4 of the table: the stages of a campaign, each beside what the databases under it can do.

A campaign goes through its stages one after the other and leaves the lines before the next one comes, as the carrier's
agents would have taken it: nothing is measured on queues that are full of what was measured before.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import psycopg

from benchmarks import limits
from benchmarks.campaign import Campaign, Dispatchers, customer_file
from benchmarks.measure import Bench, Measured
from include.audience import gate_library
from include.embedded.client import ensure
from include.embedded.state import Level
from include.settings import settings

STAGES = ("import", "dispatch", "collect", "books")
LAST = {"importing": 0, "dispatching": 1, "collecting": 2, "books": 3, "whole": 3, "peer": 1}
"""How far a campaign has to go for each row of the table that asks for its stages."""


@dataclass
class Seconds:
    """What the stages took, by name: ours and the limit's, the warm-up first; medians leave that out.

    :ivar people: recipients of each campaign.
    :ivar library: the import of Great Expectations, which is in none of them.
    :ivar agents: what the carrier's agents take for the messages of a campaign, beside nothing else.
    """

    library: float
    people: int = 0
    agents: float = 0.0
    all_ours: dict[str, list[float]] = field(default_factory=dict)
    all_limits: dict[str, list[float]] = field(default_factory=dict)

    def ours(self, stage: str) -> float:
        """Median of our seconds."""
        return statistics.median(self.all_ours[stage][1:])

    def limit(self, stage: str) -> float:
        """Median of the limit's seconds."""
        return statistics.median(self.all_limits[stage][1:])


def stage_seconds(bench: Bench) -> Seconds:
    """What the stages take, as far as this run of the benchmarks asks for them; measured once."""
    found = bench.kept.get("stages")
    if found is None:
        last = max(LAST[name] for name in bench.asked if name in LAST)
        bench.kept["stages"] = found = _measured(bench, STAGES[: last + 1])
    assert isinstance(found, Seconds)
    return found


def _measured(bench: Bench, stages: tuple[str, ...]) -> Seconds:
    started = time.perf_counter()
    gate_library.load()  # its import is not part of a stage's time; it is shown beside it
    seconds = Seconds(time.perf_counter() - started)
    file = customer_file(bench)
    with (
        ensure(Level.databases, bench.say),
        psycopg.connect(settings().owner_url) as owner,
        closing(Dispatchers()) as processes,
    ):
        for _ in range(bench.repeats + 1):
            campaign = Campaign.create(file, bench.folder)
            timed: dict[str, Callable[[], tuple[float, float]]] = {
                "import": partial(_import, bench, campaign, owner),
                "dispatch": partial(_dispatch, bench, campaign, processes),
                "collect": partial(_collect, bench, campaign, owner),
                "books": partial(_books, bench, campaign),
            }
            for stage in stages:
                ours, limit = timed[stage]()
                seconds.all_ours.setdefault(stage, []).append(ours)
                seconds.all_limits.setdefault(stage, []).append(limit)
            seconds.people = campaign.recipients()
            if "whole" in bench.asked and not seconds.agents:
                seconds.agents = bench.seconds(campaign.relay)
            campaign.remove()
    return seconds


def _import(bench: Bench, campaign: Campaign, owner: psycopg.Connection) -> tuple[float, float]:
    limit = bench.seconds(partial(limits.copy_file, owner, customer_file(bench)))
    return bench.seconds(campaign.import_and_freeze), limit


def _dispatch(bench: Bench, campaign: Campaign, processes: Dispatchers) -> tuple[float, float]:
    ours = bench.seconds(partial(campaign.dispatch, processes))
    with closing(limits.FinishedRows(campaign)) as finished:
        return ours, bench.seconds(partial(finished.load, processes))


def _collect(bench: Bench, campaign: Campaign, owner: psycopg.Connection) -> tuple[float, float]:
    campaign.deliver()
    limit = bench.seconds(partial(limits.read_and_copy, owner, campaign))
    return bench.seconds(campaign.collect), limit


def _books(bench: Bench, campaign: Campaign) -> tuple[float, float]:
    limits.scan_messages(campaign)  # warms up
    limit = limits.share_of_month(campaign) * bench.seconds(partial(limits.scan_messages, campaign))
    return bench.seconds(campaign.close_books), limit


def importing(bench: Bench) -> list[Measured]:
    """Row 1."""
    seconds = stage_seconds(bench)
    return [
        Measured.at_most(
            "import + validate + dedupe + freeze",
            seconds.ours("import"),
            seconds.limit("import"),
            15,
            against="COPY of the same file into an unlogged table",
            rows=bench.rows,
            note=f"without the import of Great Expectations, {seconds.library:.1f} s",
        )
    ]


def dispatching(bench: Bench) -> list[Measured]:
    """Row 2."""
    seconds = stage_seconds(bench)
    people, rate = seconds.people, seconds.people / seconds.ours("dispatch")
    return [
        Measured.at_least(
            "dispatch",
            rate,
            people / seconds.limit("dispatch"),
            0.5,
            against="LOAD DATA of the finished rows over as many connections",
            rows=people,
            unit="messages/s",
        ),
        Measured.bound("dispatch, messages a second", rate, least=100_000, unit="messages/s", rows=people),
    ]


def collecting(bench: Bench) -> list[Measured]:
    """Row 3."""
    seconds = stage_seconds(bench)
    return [
        Measured.at_most(
            "collect receipts",
            seconds.ours("collect"),
            seconds.limit("collect"),
            4,
            against="reading the same rows from MariaDB and COPYing them",
            rows=seconds.people,
        )
    ]


def books(bench: Bench) -> list[Measured]:
    """Row 4."""
    seconds = stage_seconds(bench)
    return [
        Measured.at_most(
            "books and report",
            seconds.ours("books"),
            seconds.limit("books"),
            4,
            against="one sequential scan of the run's messages",
            rows=seconds.people,
        )
    ]

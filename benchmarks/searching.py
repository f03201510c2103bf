"""Row 10 of the table: contacts found and reports read in a store that is full."""

import random
import statistics
import time
from collections.abc import Callable, Iterator

import psycopg

from benchmarks.measure import SEED, Bench, Measured, percentile
from benchmarks.people import COMMON, FAR, LOCAL, NEAR, RARE, SMALL_REGIONS, external_id_of, number_of
from benchmarks.stored import Stored, stored
from include.cli.progress import look
from include.contacts.search import NEWEST, PAGE, ContactQuery, search
from include.embedded.client import ensure
from include.embedded.state import Level
from include.reporting.report import load_report, run_of, write_rejected
from include.settings import settings
from include.store import connect
from sandbox.customers import REGIONS

CALLS = 200
Calls = Iterator[Callable[[], object]]


def measure(bench: Bench) -> list[Measured]:
    """A line for each kind of search and one for the reports, each by the slowest of its cases."""
    with (
        ensure(Level.databases, bench.say),
        stored(bench, settings().keyring) as made,
        connect(made.store_url, made.tenant) as store,
    ):
        rng = random.Random(SEED)
        found = _p95s(bench, {**_searches(store, made, rng), **_reports(bench, store, made, rng)})
    lines: dict[str, dict[str, float]] = {}
    for (line, case), milliseconds in found.items():
        lines.setdefault(line, {})[case] = milliseconds
    return [
        Measured.bound(
            line,
            max(cases.values()),
            most=100 if line == "report queries" else 20,
            unit="ms p95",
            rows=made.messages if line == "report queries" else made.contacts,
            note=", ".join(f"{case} {milliseconds:.1f}" for case, milliseconds in cases.items()),
        )
        for line, cases in lines.items()
    ]


def _p95s(bench: Bench, kinds: dict[tuple[str, str], Calls]) -> dict[tuple[str, str], float]:
    """By kind, the median over the repeats of the 95th percentile of ``CALLS`` calls, in milliseconds.

    The kinds take turns; a round of a tenth of the calls warms up.
    """
    rounds: dict[tuple[str, str], list[float]] = {kind: [] for kind in kinds}
    for turn in range(bench.repeats + 1):
        for kind, calls in kinds.items():
            taken = []
            for _ in range(CALLS if turn else CALLS // 10):
                call = next(calls)
                started = time.perf_counter()
                call()
                taken.append(1000 * (time.perf_counter() - started))
            if turn:
                rounds[kind].append(percentile(taken, 0.95))
    return {kind: statistics.median(values) for kind, values in rounds.items()}


def _searches(store: psycopg.Connection, made: Stored, rng: random.Random) -> dict[tuple[str, str], Calls]:
    """Endless searches for people who are there, by line and case."""

    def find(question: Callable[[], ContactQuery], *, at_least: int = 1, deep: bool = False) -> Calls:
        while True:
            wanted = question()
            before = rng.randrange(made.contacts // 10, made.contacts) if deep else NEWEST

            def call(wanted: ContactQuery = wanted, before: int = before) -> None:
                found = len(search(store, made.ring, wanted, before=before).contacts)
                if found < at_least:
                    raise AssertionError(f"{found} contacts instead of {at_least} or more")

            yield call

    def place() -> int:
        return rng.randrange(made.contacts)

    def tag_and_region(tag: str, region: str) -> ContactQuery:
        return ContactQuery(tag=tag, region=region)

    number, four, external, label = (
        f"contact search by {what}" for what in ("number", "last four digits", "external id", "tag and region")
    )
    return {
        (number, "exact"): find(lambda: ContactQuery(number=number_of(place()))),
        (four, "first page"): find(lambda: ContactQuery(last_four=number_of(place())[-4:])),
        (external, "exact"): find(lambda: ContactQuery(external_id=external_id_of(place()))),
        (label, "both frequent"): find(lambda: tag_and_region(COMMON, rng.choice(NEAR)), at_least=PAGE),
        (label, "any page of it"): find(lambda: tag_and_region(COMMON, rng.choice(NEAR)), at_least=PAGE, deep=True),
        (label, "frequent but seldom together"): find(lambda: tag_and_region(LOCAL, FAR)),
        (label, "rare tag"): find(lambda: tag_and_region(rng.choice(RARE), rng.choice(REGIONS))),
        (label, "small region"): find(lambda: tag_and_region(COMMON, rng.choice(SMALL_REGIONS)), at_least=0),
        (label, "tag alone"): find(lambda: ContactQuery(tag=COMMON), at_least=PAGE),
        (label, "region alone"): find(lambda: ContactQuery(region=rng.choice(NEAR)), at_least=PAGE),
    }


def _reports(bench: Bench, store: psycopg.Connection, made: Stored, rng: random.Random) -> dict[tuple[str, str], Calls]:
    """Endless reads of what is known of the runs, by line and case."""

    def read(query: Callable[[int], object], among: list[int]) -> Calls:
        while True:
            run = rng.choice(among)

            def call(run: int = run) -> None:
                with store.transaction():
                    query(run)

            yield call

    every = [run for runs in made.runs.values() for run in runs]
    names: dict[int, str] = dict(store.execute("SELECT run_id, dag_run_id FROM runs").fetchall())
    store.commit()
    line, file = "report queries", bench.folder / "rejected.csv"
    return {
        (line, "report"): read(lambda run: load_report(store, run), every),
        (line, "report of a refused run"): read(lambda run: load_report(store, run), made.refused),
        (line, "last run"): read(lambda _: run_of(store, rng.choice(list(made.runs))), every),
        (line, "progress"): read(lambda run: look(store, "bench", names[run]), made.runs["acme"]),
        (line, "rejected rows"): read(lambda run: write_rejected(store, run, file), every),
    }

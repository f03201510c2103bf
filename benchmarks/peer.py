"""Row 8: import and dispatch beside the same work as a competent user of Airflow would write it (peer_campaign.py)."""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
from cryptography.fernet import Fernet

from benchmarks import peer_campaign
from benchmarks.campaign import CONNECTIONS, Dispatchers, tables_owner
from benchmarks.measure import SEED, Bench, Measured
from benchmarks.scratch import scratch_database
from benchmarks.stages import stage_seconds
from include.delivery.line_schema import queue_table
from include.embedded.client import ensure
from include.embedded.state import Level
from include.queries import query
from sandbox.customers import generate

ROWS, SMALL_ROWS, WARM_UP_ROWS = 100_000, 20_000, 2_000
FASTER = 10
NOTE = (
    "rows of the peer, whose time grows with them; our rate is that of the whole file; Airflow's own time is in neither"
)


def measure(bench: Bench) -> list[Measured]:
    """The row's two lines. Our rates are those of rows 1 and 2 of the same run."""
    seconds = stage_seconds(bench)
    rows = SMALL_ROWS if bench.small else ROWS
    file, warm_up = bench.folder / "peer.csv", bench.folder / "peer-warm-up.csv"
    people = generate(file, rows, SEED).recipients
    generate(warm_up, WARM_UP_ROWS, SEED)
    imports, dispatches = [], []
    with ensure(Level.databases, bench.say), _peer() as peer:
        peer.import_and_freeze(0, warm_up)
        peer.dispatch(0)
        for run in range(1, bench.repeats + 1):
            imports.append(rows / bench.seconds(partial(peer.import_and_freeze, run, file)))
            assert peer.count("recipients", run) == people
            dispatches.append(people / bench.seconds(partial(peer.dispatch, run)))
            assert peer.count("messages", run) == people
    return [
        Measured.at_least(
            "import, beside pandas",
            bench.rows / seconds.ours("import"),
            statistics.median(imports),
            FASTER,
            against="pandas, Fernet and to_sql, a task a stage",
            rows=rows,
            note=NOTE,
        ),
        Measured.at_least(
            "dispatch, beside executemany",
            seconds.people / seconds.ours("dispatch"),
            statistics.median(dispatches),
            FASTER,
            against=f"batches of 1,000 through XCom and executemany, {CONNECTIONS} processes",
            rows=people,
            unit="messages/s",
            note=NOTE,
        ),
    ]


class _Peer:
    """The peer's tasks one after the other, over tables of its own."""

    def __init__(self, url: str, tables: list[str], processes: Dispatchers) -> None:
        self.url, self.tables, self.processes, self.key = url, tables, processes, Fernet.generate_key()

    def import_and_freeze(self, run: int, file: Path) -> None:
        peer_campaign.import_targets(self.url, run, file, self.key)
        peer_campaign.validate_targets(self.url, run)
        peer_campaign.dedupe_targets(self.url, run)

    def dispatch(self, run: int) -> None:
        batches = peer_campaign.batch_recipients(self.url, run)
        lines = [(number % len(self.tables)) for number in batches]
        tasks = [
            (self.url, run, self.key, number, self.tables[line], line + 1)
            for number, line in zip(batches, lines, strict=True)
        ]
        self.processes.run(peer_campaign.dispatch, tasks)

    def count(self, table: str, run: int) -> int:
        """Rows of a run; of messages, those that were accepted."""
        accepted = " AND state = 'accepted'" if table == "messages" else ""
        statement = f"SELECT count(*) FROM {table} WHERE run_id = {run}{accepted}"
        row = peer_campaign.database(self.url).execute(statement.encode()).fetchone()
        peer_campaign.database(self.url).rollback()
        return int(row[0]) if row else 0


@contextmanager
def _peer() -> Iterator[_Peer]:
    """The peer with empty tables and processes that are connected; all of it is gone at the end."""
    processes = Dispatchers()
    tables = [f"BENCH_PEER_{line_no}" for line_no in range(1, CONNECTIONS + 1)]
    try:
        with scratch_database("bench_peer") as database, psycopg.connect(database.owner_url) as owner:
            owner.execute(query("benchmarks/peer_tables").encode())
            owner.commit()
            with tables_owner() as line, line.cursor() as cursor:
                for line_no, table in enumerate(tables, 1):
                    cursor.execute(f"CREATE OR REPLACE TABLE {table} LIKE {queue_table(line_no)}")
            yield _Peer(database.owner_url, tables, processes)
            peer_campaign.database(database.owner_url).close()
            peer_campaign.engine(database.owner_url).dispose()
    finally:
        processes.close()
        with tables_owner() as line, line.cursor() as cursor:
            for table in tables:
                cursor.execute(f"DROP TABLE IF EXISTS {table}")

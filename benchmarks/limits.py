"""What the databases can do without us."""

from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.campaign import Campaign, Dispatchers, tables_owner, worker_line
from include.delivery.line import queue_row
from include.delivery.line_schema import queue_table
from include.queries import query
from sandbox.customers import HEADER


def copy_file(owner: psycopg.Connection, file: Path) -> None:
    """COPY a customer file as it is into an unlogged table of text columns."""
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in HEADER)
    with owner.transaction(force_rollback=True):
        owner.execute(sql.SQL("CREATE UNLOGGED TABLE bench_copy ({})").format(columns))
        with (
            owner.cursor().copy("COPY bench_copy FROM STDIN WITH (FORMAT csv, HEADER true)") as copy,
            file.open("rb") as source,
        ):
            while block := source.read(1 << 20):
                copy.write(block)


class FinishedRows:
    """The rows that a campaign put on its lines, as finished files of a chunk each, and LOAD DATA of them.

    The files lie in memory, as ours do.
    """

    def __init__(self, campaign: Campaign) -> None:
        self.campaign, self.files = campaign, list[tuple[str, str]]()
        folder = Path("/dev/shm") / f"bongsu-bench-{campaign.run.run_id}"
        folder.mkdir(mode=0o700)
        self.folder = folder
        with tables_owner() as line, line.cursor() as cursor:
            for line_no in campaign.run.lines:
                cursor.execute(f"CREATE OR REPLACE TABLE {_limit_table(line_no)} LIKE {queue_table(line_no)}")
            for number in campaign.chunks:
                line_no = campaign.run.lines[(number - 1) % len(campaign.run.lines)]
                cursor.execute(
                    "SELECT dest_no, call_back, subject, msg_contents, msg_type, app_etc1 "
                    f"FROM {queue_table(line_no)} WHERE app_etc2 = %s ORDER BY seqno",
                    (f"{campaign.run.run_id}.0.{number}",),
                )
                file = folder / f"{number}.tsv"
                with file.open("w", encoding="utf-8", newline="") as target:
                    for row in cursor.fetchall():
                        target.write(queue_row(*row))
                self.files.append((_limit_table(line_no), str(file)))

    def load(self, processes: Dispatchers) -> None:
        """All files, a transaction each, by as many connections as ``processes`` has."""
        processes.run(_load_file, self.files)

    def close(self) -> None:
        """Drop the tables and the files."""
        for _, file in self.files:
            Path(file).unlink()
        self.folder.rmdir()
        with tables_owner() as line, line.cursor() as cursor:
            for line_no in self.campaign.run.lines:
                cursor.execute(f"DROP TABLE {_limit_table(line_no)}")


def _limit_table(line_no: int) -> str:
    return f"BENCH_LIMIT_{line_no}"


def _load_file(table_and_file: tuple[str, str]) -> None:
    table, file = table_and_file
    line = worker_line()
    with line.cursor() as cursor:
        cursor.execute(query("line/load").format(table=table), {"file": file, "chunk": "1.0.1"})
    line.commit()


def read_and_copy(owner: psycopg.Connection, campaign: Campaign) -> None:
    """Read key, code and moment of every row of the run from MariaDB and COPY them into an unlogged table."""
    with owner.transaction(force_rollback=True), campaign.line.cursor() as cursor:
        owner.execute("CREATE UNLOGGED TABLE bench_receipts (key text, code integer, moment timestamp)")
        with owner.cursor().copy("COPY bench_receipts FROM STDIN") as copy:
            for line_no in campaign.run.lines:
                cursor.execute(
                    f"SELECT app_etc1, status_code, repmsg_recvtm FROM {queue_table(line_no)} WHERE app_etc2 LIKE %s",
                    (f"{campaign.run.run_id}.%",),
                )
                while rows := cursor.fetchmany(10_000):
                    for row in rows:
                        copy.write_row(row)
    campaign.line.rollback()


def scan_messages(campaign: Campaign) -> None:
    """One sequential scan, by one process, that counts the messages of the run's month, other runs' included."""
    with campaign.store.transaction():
        campaign.store.execute(
            "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; "
            "SET LOCAL max_parallel_workers_per_gather = 0"
        )
        campaign.store.execute(
            "SELECT outcome, count(*) FROM messages WHERE month = %(month)s GROUP BY 1", campaign.run.place
        )


def share_of_month(campaign: Campaign) -> float:
    """Which part of the messages of the run's month are the run's own."""
    row = campaign.store.execute(
        "SELECT (count(*) FILTER (WHERE run_id = %(run)s))::float / count(*) FROM messages WHERE month = %(month)s",
        campaign.run.place,
    ).fetchone()
    campaign.store.commit()
    assert row is not None
    return float(row[0])

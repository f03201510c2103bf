"""Reads results from a line's queue and log tables and settles messages with them.

A row stays in the queue until the agent has its result and moves it to the log of the month of that moment, so a chunk
is read from the queue and every log since its hand-over, in one snapshot: a row on its way is seen once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import MySQLdb
import MySQLdb.cursors
import psycopg

from include.campaigns.runs import Run
from include.crashpoints import CrashPoint, reach
from include.delivery.chunks import Chunk, open_chunks
from include.delivery.line import chunk_key
from include.delivery.line_schema import log_tables, queue_table
from include.queries import query
from include.store import SET_AGAINST_SET

READ_ROWS = 10_000

_Row = tuple[int | None, int | None, float | None]
"""Recipient, code and Unix time of a row, as ``sql/queries/line/results.sql`` answers."""


@dataclass(frozen=True)
class Collected:
    """State of a run's receipts after a look.

    :param settled: messages that got their result at this look.
    :param outstanding: messages still without one.
    :param waiting: rows in the line's queues that the agents have no result for yet.
    :param tables: the queue tables that hold those. Only these are asked while waiting: a line that took nothing of the
        run may be broken.
    """

    settled: int
    outstanding: int
    waiting: int
    tables: list[str]


def collect(store: psycopg.Connection, line_connection: MySQLdb.Connection, run: Run, hop: int = 0) -> Collected:
    """Settle what has a result, chunk by chunk, each in its own transaction. Safe to repeat at any moment."""
    settled = outstanding = waiting = 0
    tables = set()
    for chunk in open_chunks(store, run, hop):
        changed, still, queued = _settle(store, line_connection, run, chunk)
        settled += changed
        outstanding += still
        waiting += queued
        if queued:
            tables.add(chunk.table_name)
    return Collected(settled, outstanding, waiting, sorted(tables))


def expire(store: psycopg.Connection, run: Run, hop: int = 0) -> int:
    """Mark what has no receipt when the receipt window has closed; how many messages."""
    expired = 0
    for chunk in open_chunks(store, run, hop):
        with store.transaction():
            row = store.execute(query("delivery/expire"), _values(run, chunk)).fetchone()
        expired += int(row[0]) if row else 0
    return expired


def window_closes(store: psycopg.Connection, run: Run, hop: int = 0) -> datetime:
    """The moment until which receipts are waited for: ``receipt_hours`` after the last hand-over."""
    row = store.execute(query("delivery/last_hand_over"), {"run": run.run_id, "hop": hop}).fetchone()
    store.commit()
    last = row[0] if row and row[0] else run.run_at
    return last + timedelta(hours=run.spec.delivery.receipt_hours)


def rows_waiting(line_connection: MySQLdb.Connection, tables: list[str], run_id: int, hop: int) -> int:
    """Rows of a run that are still in the queues without a result; what a waiting trigger asks for."""
    total = 0
    with line_connection.cursor() as cursor:
        for table in tables:
            cursor.execute(query("line/waiting").format(table=table), {"run": f"{run_id}.{hop}.%"})
            row = cursor.fetchone()
            total += int(row[0]) if row else 0
    line_connection.rollback()
    return total


def read_rows(store: psycopg.Connection, line: MySQLdb.Connection, chunk: Chunk) -> None:
    """Bring what the line's tables hold for the chunk into the table ``receipts`` of the store's open transaction."""
    store.execute(query("delivery/receipts_prepare"))
    with store.cursor() as cursor, cursor.copy(query("delivery/receipts_copy")) as copy:
        copy.set_types(["int4", "int4", "float8"])
        for row in _rows(line, chunk):
            copy.write_row(row)


def _settle(store: psycopg.Connection, line: MySQLdb.Connection, run: Run, chunk: Chunk) -> tuple[int, int, int]:
    """Settle one chunk; messages that changed, messages still open, rows without a result yet."""
    with store.transaction():
        read_rows(store, line, chunk)
        reach(CrashPoint.between_receipts)
        store.execute(SET_AGAINST_SET)
        changed = store.execute(query("delivery/settle"), _values(run, chunk)).fetchone()
        still = store.execute(query("delivery/settle_chunk"), _values(run, chunk)).fetchone()
    reach(CrashPoint.after_receipts)
    assert changed is not None
    assert still is not None
    return int(changed[0]), int(still[0]), int(still[1])


def _rows(line: MySQLdb.Connection, chunk: Chunk) -> Iterator[_Row]:
    """Every row that the line's tables hold for the chunk, in one snapshot."""
    month = _month_of_hand_over(line, chunk)
    queue = queue_table(chunk.line_no)
    values = {**chunk.key, "chunk": chunk_key(chunk), "run_and_hop": f"{chunk.run_id}.{chunk.hop}."}
    logs = [table for table in log_tables(line, chunk.line_no) if table[-6:] >= month]
    line.rollback()
    try:
        with line.cursor(MySQLdb.cursors.SSCursor) as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            for table in (queue, *logs):
                cursor.execute(query("line/results").format(table=table), values)
                while rows := cursor.fetchmany(READ_ROWS):
                    yield from rows
    finally:
        line.rollback()


def _month_of_hand_over(line: MySQLdb.Connection, chunk: Chunk) -> str:
    """The first month whose log can hold rows of the chunk.

    By the marker and not by the store's acceptance, which a retry may write a month later, and by another clock. When
    the marker is gone (a restored database), every log is read.
    """
    with line.cursor() as cursor:
        values = {"run": chunk.run_id, "hop": chunk.hop, "chunk": chunk.chunk_no}
        cursor.execute(query("line/marker_month"), values)
        row = cursor.fetchone()
    return str(row[0]) if row else ""


def _values(run: Run, chunk: Chunk) -> dict[str, object]:
    return {**run.place, **chunk.key}

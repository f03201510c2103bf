"""One SMS line: the hand-over of a chunk into its queue table.

Owns the row format, the named locks and the marker. The carrier's agent takes only rows whose ``seqno`` is above the
last it saw, so rows must become visible in ``seqno`` order: whoever writes holds ``GET_LOCK('<table>')`` from the first
insert to after the commit. Rows move on to monthly log tables, so the marker, not the queue, remembers a hand-over.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import MySQLdb
import MySQLdb.cursors
from MySQLdb.constants import ER

from include.crashpoints import CrashPoint, reach
from include.delivery.chunks import Chunk
from include.delivery.named_lock import named_lock
from include.errors import HandOverError, Unavailable
from include.queries import query

LOCK_SECONDS = 120
LOAD_FORBIDDEN = frozenset({ER.NOT_ALLOWED_COMMAND, 2068, 3948, 4166})
"""The server forbids LOAD DATA LOCAL (1148, 2068, 3948 on MySQL 8, 4166 on MariaDB)."""
FIELD, END, FIELDS_BETWEEN = "\x1f", "\x1e", 5
"""What stands between the fields, what behind a row (``sql/queries/line/load.sql`` has them, too), fields but one."""


def queue_row(number: str, sender: str, subject: str | None, text: str, kind: str, key: str) -> str:
    """A message as a line's file holds it; ``key`` is ``<run>.<hop>.<recipient>``."""
    return FIELD.join((number, sender, subject or "", text, kind, key)) + END


class QueueRows:
    """The messages of a chunk as its line's file holds them, gathered batch by batch.

    :ivar count: how many.
    :ivar blocks: their rows, a batch each.
    """

    def __init__(self) -> None:
        self.count = 0
        self.blocks: list[bytes] = []

    def add(self, block: bytes, rows: int) -> None:
        """Append so many rows, made as :func:`queue_row` makes them.

        :raises HandOverError: one has a field more or fewer.
        """
        if block.count(FIELD.encode()) != FIELDS_BETWEEN * rows or block.count(END.encode()) != rows:
            raise HandOverError("A message holds a control character that separates the fields; nothing was sent.")
        self.blocks.append(block)
        self.count += rows


class Line:
    """A queue table, on a connection of its own: named locks and the transaction live and die with it."""

    def __init__(self, connection: MySQLdb.Connection, table: str) -> None:
        self._connection, self.table = connection, table

    @contextmanager
    def chunk_lock(self, chunk: Chunk) -> Iterator[None]:
        """Two tries of one chunk take turns."""
        with self._lock(f"bongsu.{chunk_key(chunk)}"):
            yield

    def marker(self, chunk: Chunk) -> int | None:
        """How many messages of the chunk were handed over, or ``None`` when none ever were."""
        with self._connection.cursor() as cursor:
            cursor.execute(query("line/marker"), {"run": chunk.run_id, "hop": chunk.hop, "chunk": chunk.chunk_no})
            row = cursor.fetchone()
        self._connection.rollback()  # ends the snapshot of the read
        return int(row[0]) if row else None

    def hand_over(self, chunk: Chunk, rows: QueueRows, ask: Callable[[], None] = lambda: None) -> int:
        """Insert marker and rows in one transaction; how many rows.

        :param ask: called when the table is ours and nothing is written yet; raises when the chunk may not leave.

        On any error nothing was handed over, unless the commit's answer was lost: then the marker tells the next try.
        """
        with self._lock(self.table):
            ask()
            try:
                with self._connection.cursor() as cursor:
                    marker = {"run": chunk.run_id, "hop": chunk.hop, "chunk": chunk.chunk_no}
                    self._mark(cursor, {**marker, "table": self.table, "rows": rows.count})
                    if rows.count:
                        self._write(cursor, chunk, rows)
                reach(CrashPoint.inside_line_transaction)
                self._connection.commit()
                reach(CrashPoint.after_line_commit)
            except BaseException:  # a time-out or a told end of the task, too: the lock never goes before the rows
                self._rollback()
                raise
        return rows.count

    def _mark(self, cursor: MySQLdb.cursors.Cursor, marker: dict[str, object]) -> None:
        try:
            cursor.execute(query("line/mark"), marker)
        except MySQLdb.IntegrityError as error:
            if error.args[0] != ER.DUP_ENTRY:
                raise
            # of a restore, or of a try that went on when its chunk lock had died with its connection
            raise Unavailable(
                "The chunk has got a marker meanwhile; the next try believes it. Trying again."
            ) from error

    def _write(self, cursor: MySQLdb.cursors.Cursor, chunk: Chunk, rows: QueueRows) -> None:
        if getattr(self._connection, "gives_files", False):  # not on every kind of connection
            try:
                self._load(cursor, chunk, rows)
                return
            except MySQLdb.Error as error:
                if not error.args or error.args[0] not in LOAD_FORBIDDEN:
                    raise
        self._insert(cursor, chunk, rows)

    def _load(self, cursor: MySQLdb.cursors.Cursor, chunk: Chunk, rows: QueueRows) -> None:
        """LOAD DATA from a file that exists in memory only: clear text never touches a disk."""
        with os.fdopen(os.memfd_create("bongsu-chunk"), "wb") as file:
            file.writelines(rows.blocks)
            file.flush()
            path = f"/proc/self/fd/{file.fileno()}"
            cursor.execute(query("line/load").format(table=self.table), {"file": path, "chunk": chunk_key(chunk)})
            if cursor.rowcount != rows.count:
                # a warning turned into a lost or shortened row; the transaction has not been committed
                raise MySQLdb.DataError(0, f"LOAD DATA took {cursor.rowcount} of {rows.count} rows")

    def _insert(self, cursor: MySQLdb.cursors.Cursor, chunk: Chunk, rows: QueueRows) -> None:
        """Multi-row INSERT, for servers that forbid LOAD DATA LOCAL and those that get no file."""
        group, statement = chunk_key(chunk), query("line/insert").format(table=self.table)
        for block in rows.blocks:
            messages = [(*row.split(FIELD), group) for row in block.decode().split(END)[:-1]]
            cursor.executemany(statement, messages)

    def _lock(self, name: str) -> AbstractContextManager[None]:
        busy = Unavailable(
            f"Lock {name} was not free for {LOCK_SECONDS} s: another task is writing there. Trying again."
        )
        return named_lock(self._connection, name, LOCK_SECONDS, busy)

    def _rollback(self) -> None:
        with suppress(MySQLdb.Error):  # the connection is gone, and with it the transaction
            self._connection.rollback()


def chunk_key(chunk: Chunk) -> str:
    """``<run>.<hop>.<chunk>``, written on every queue row of the chunk."""
    return f"{chunk.run_id}.{chunk.hop}.{chunk.chunk_no}"

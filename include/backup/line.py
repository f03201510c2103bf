"""The SMS line's side of a backup: its tables read in one snapshot, and put back beside the old ones before they change
places.

The file is gzip over lines of JSON, an array a row, table by table in the order of the manifest. The texts and numbers
in it are in the clear, as they are on the line.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TextIO

from MySQLdb.connections import Connection
from MySQLdb.cursors import Cursor, SSCursor

from include.backup.manifest import BackupError, LineTable, OpenChunk
from include.delivery.line import LOCK_SECONDS
from include.delivery.named_lock import named_lock
from include.errors import Unavailable
from include.queries import query

QUEUE = re.compile(r"SMSQ_SEND_\d+")
OURS = re.compile(r"SMSQ_SEND_\d+(_\d{6})?|BONGSU_HANDOVER")
MARKERS = "BONGSU_HANDOVER"
ALONE = "BONGSU_BACKUP"
"""A lock on the line's server: whoever makes or restores a backup has it."""
LOADED, REPLACED = "RESTORED_", "REPLACED_"
"""What a table's name begins with while it waits to take its place, and after it has lost it."""
BATCH = 2_000
STATEMENT_BYTES = 1_000_000
SKIPPED_SEQNOS = 100_000_000
"""More rows than a line takes between two backups. An agent never looks below the last ``seqno`` that it has seen."""


def line_tables(line: Connection, prefix: str = "") -> list[str]:
    """The product's tables that are there; with a prefix, those whose names begin with it."""
    with line.cursor() as cursor:
        cursor.execute(query("backup/line_tables"))
        names = [str(name) for (name,) in cursor.fetchall()]
    return [name for name in names if name.startswith(prefix) and OURS.fullmatch(name.removeprefix(prefix))]


@contextmanager
def no_hand_over(line: Connection, tables: Iterable[str]) -> Iterator[None]:
    """While the block runs, no chunk is being handed over to these queues, and nobody else makes or restores a backup.

    :raises BackupError: somebody else does.
    :raises Unavailable: a hand-over did not end in time.
    """
    with ExitStack() as held:
        beside = BackupError("Another backup or restore of this line is at work. Nothing was changed.")
        held.enter_context(named_lock(line, ALONE, 0, beside))
        for table in sorted(set(filter(QUEUE.fullmatch, tables))):  # whoever hands over holds its table's lock
            busy = Unavailable(f"A chunk is being handed over to {table} for {LOCK_SECONDS} s; try again later.")
            held.enter_context(named_lock(line, table, LOCK_SECONDS, busy))
        yield


class LineSnapshot:
    """The line as it is when :meth:`take` is called; the connection is used for nothing else until it is closed."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._tables: list[str] = []

    def take(self) -> None:
        """Fix the moment; once more when a log was made amid it, which may have got rows of the queue."""
        with self._line.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            while self._tables != (tables := line_tables(self._line)):
                self._tables = tables
                cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")

    def dump(self, file: Path) -> list[LineTable]:
        """Write the tables' rows, and say what tables they are."""
        with gzip.open(file, "wt", compresslevel=1, encoding="utf-8", newline="\n") as out:
            return [self._write(table, out) for table in self._tables]

    def _write(self, table: str, out: TextIO) -> LineTable:
        with self._line.cursor() as cursor:
            cursor.execute(f"SHOW CREATE TABLE {table}")
            create = str(cursor.fetchone()[1])
            cursor.execute(query("backup/line_columns"), {"table": table})
            columns = [str(name) for (name,) in cursor.fetchall()]
        rows = 0
        with self._line.cursor(SSCursor) as cursor:
            # The server writes each row as JSON, so that nothing here has to know its columns' types.
            cursor.execute(f"SELECT JSON_ARRAY({_quoted(columns)}) FROM {table}")
            while batch := cursor.fetchmany(BATCH):
                out.writelines(f"{row}\n" for (row,) in batch)
                rows += len(batch)
        return LineTable(table, columns, create, rows)


def load_line(line: Connection, file: Path, tables: Sequence[LineTable], unsettled: Sequence[OpenChunk]) -> None:
    """Fill tables beside the line's own with what the file holds, and close in them what may have gone out since.

    Rows that waited for the agent count as taken by it. Chunks that were not handed over get a marker of no messages,
    which every later try believes. Numbers of rows go on far above the old ones.

    :param line: a login that may create tables.
    :raises BackupError: a table did not get its rows.
    """
    drop_tables(line, LOADED, REPLACED)  # of a restore that was killed
    with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines, line.cursor() as cursor:
        cursor.max_stmt_length = STATEMENT_BYTES
        for table in tables:
            _load(cursor, table, lines)
            line.commit()
            if QUEUE.fullmatch(table.name):
                name = LOADED + table.name
                cursor.execute(query("backup/line_taken").format(table=name))
                cursor.execute(query("backup/line_next_seqno"), {"table": table.name, "loaded": name})
                following = int(cursor.fetchone()[0]) + SKIPPED_SEQNOS
                cursor.execute(f"ALTER TABLE {name} AUTO_INCREMENT = {following}")
    close_chunks(line, unsettled, LOADED + MARKERS)
    _keep_markers(line)


def _keep_markers(line: Connection) -> None:
    """What the line says today to be handed over stays said: a store that is not replaced after all, since the restore
    was killed between the two, must not hand it over again.
    """
    with line.cursor() as cursor:
        if MARKERS in line_tables(line):
            cursor.execute(f"INSERT IGNORE INTO {LOADED}{MARKERS} SELECT * FROM {MARKERS}")
    line.commit()


def close_chunks(line: Connection, unsettled: Sequence[OpenChunk], markers: str = MARKERS) -> list[OpenChunk]:
    """Give chunks that have no marker one of no messages, so that no later try hands them over; which chunks."""
    closed = []
    with line.cursor() as cursor:
        for chunk in unsettled:
            values = (chunk.run_id, chunk.hop, chunk.chunk_no, chunk.table_name)
            if cursor.execute(query("backup/line_close_chunk").format(table=markers), values):
                closed.append(chunk)
    line.commit()
    return closed


def reopen_chunks(line: Connection, closed: Sequence[OpenChunk]) -> None:
    """Take back what :func:`close_chunks` did."""
    with line.cursor() as cursor:
        for chunk in closed:
            cursor.execute(query("backup/line_reopen_chunk"), (chunk.run_id, chunk.hop, chunk.chunk_no))
    line.commit()


def _load(cursor: Cursor, table: LineTable, lines: Iterator[str]) -> None:
    if not OURS.fullmatch(table.name) or not table.create.startswith(f"CREATE TABLE `{table.name}`"):
        raise BackupError(f"The backup holds a table that is not the line's: {table.name}. The line is as it was.")
    cursor.execute(table.create.replace(table.name, LOADED + table.name, 1))
    values = ", ".join(["%s"] * len(table.columns))
    insert = f"INSERT INTO {LOADED}{table.name} ({_quoted(table.columns)}) VALUES ({values})"
    rows = islice(lines, table.rows)
    while batch := [json.loads(row) for row in islice(rows, BATCH)]:
        cursor.executemany(insert, batch)
    cursor.execute(f"SELECT count(*) FROM {LOADED}{table.name}")
    if (restored := cursor.fetchone()[0]) != table.rows:
        raise BackupError(f"{table.name} got {restored:,} of its {table.rows:,} rows. The line is as it was.")


def swap_line(line: Connection, tables: Sequence[LineTable]) -> None:
    """The loaded tables take the places of the line's own, all at once."""
    renames = [f"{table} TO {REPLACED}{table}" for table in line_tables(line)]
    renames += [f"{LOADED}{table.name} TO {table.name}" for table in tables]
    with line.cursor() as cursor:
        cursor.execute(f"RENAME TABLE {', '.join(renames)}")


def swap_back(line: Connection) -> None:
    """The line's own tables are back in their places, as if :func:`swap_line` had not been called."""
    renames = [f"{table} TO {LOADED}{table}" for table in line_tables(line)]
    renames += [f"{table} TO {table.removeprefix(REPLACED)}" for table in line_tables(line, REPLACED)]
    with line.cursor() as cursor:
        cursor.execute(f"RENAME TABLE {', '.join(renames)}")


def drop_tables(line: Connection, *prefixes: str) -> None:
    """Drop the tables that wait for a place, or have lost it."""
    with line.cursor() as cursor:
        for table in [table for prefix in prefixes for table in line_tables(line, prefix)]:
            cursor.execute(f"DROP TABLE {table}")


def given_run_number(line: Connection) -> int:
    """The highest run of which the line, if it is there, has taken something."""
    with line.cursor() as cursor:
        if MARKERS in line_tables(line):
            cursor.execute(query("backup/line_given_run_number"))
            return int(cursor.fetchone()[0] or 0)
    return 0


def is_filled(line: Connection) -> bool:
    """Whether any table of the line has a row."""
    with line.cursor() as cursor:
        for table in line_tables(line):
            cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")
            if cursor.fetchone():
                return True
    return False


def _quoted(columns: Iterable[str]) -> str:
    return ", ".join(f"`{column.replace('`', '``')}`" for column in columns)

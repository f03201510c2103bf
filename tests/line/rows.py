"""Queue rows for the tests of this room, written without the product, and what became of them."""

import time
from collections.abc import Callable, Sequence

from MySQLdb.connections import Connection

from include.delivery.line_schema import log_tables, queue_table

INSERT = (
    "INSERT INTO {table} (dest_no, call_back, msg_contents, msg_type, sendreq_time, app_etc1, app_etc2)"
    " VALUES (%s, '0212345678', 'hello', %s, NOW() + INTERVAL %s SECOND, %s, '1.0.1')"
)


def write_rows(
    conn: Connection, line: int, numbers: Sequence[int], *, wait: int = 0, kind: str = "S", commit: bool = True
) -> None:
    """One waiting row for each of ``numbers``, due in ``wait`` seconds; its key is ``1.0.<number>``."""
    with conn.cursor() as cursor:
        rows = [(f"010{number:08d}", kind, wait, f"1.0.{number}") for number in numbers]
        cursor.executemany(INSERT.format(table=queue_table(line)), rows)
    if commit:
        conn.commit()


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def queued(conn: Connection, line: int) -> dict[str, int]:
    """How many rows of the queue table are in which state."""
    with conn.cursor() as cursor:
        cursor.execute(f"SELECT rsv1, COUNT(*) FROM {queue_table(line)} GROUP BY rsv1")
        counts = dict(cursor.fetchall())
    conn.rollback()
    return counts


def logged(conn: Connection, line: int) -> dict[str, tuple[str, int, str]]:
    """Number → (log table, result code, state) of every row in the line's log tables."""
    found: dict[str, tuple[str, int, str]] = {}
    for table in log_tables(conn, line):
        with conn.cursor() as cursor:
            cursor.execute(f"SELECT dest_no, status_code, rsv1 FROM {table}")
            for number, code, state in cursor.fetchall():
                assert number not in found, "a row is in the logs twice"
                found[number] = (table, code, state)
    conn.rollback()
    return found


def sent(conn: Connection) -> list[str]:
    """The keys of all messages that the carrier got, in order, repetitions included."""
    with conn.cursor() as cursor:
        cursor.execute("SHOW TABLES LIKE 'SANDBOX_SENT'")
        if not cursor.fetchall():
            return []
        cursor.execute("SELECT app_etc1 FROM SANDBOX_SENT ORDER BY sent_id")
        keys = [key for (key,) in cursor.fetchall()]
    conn.rollback()
    return keys

"""Creates what the SMS line's database must hold: queue tables, log tables ahead of time, the marker table, the event.

The statements are files of ``sql/line``; they run alike on MariaDB 10.6 and later and on MySQL 8.
"""

import logging
from collections.abc import Sequence

from MySQLdb.connections import Connection

from include.delivery.named_lock import named_lock
from include.errors import Unavailable
from include.queries import ROOT

log = logging.getLogger(__name__)

SQL = ROOT / "sql" / "line"
LOCK = "BONGSU_LINE_TABLES"


def queue_table(line: int) -> str:
    """Name of a line's queue table."""
    if not 1 <= line <= 99:
        raise ValueError(f"There is no line {line}; lines are numbered from 1.")
    return f"SMSQ_SEND_{line}"


def log_table(line: int, month: str) -> str:
    """Name of a line's log table of ``month``, written ``YYYYMM``."""
    if len(month) != 6 or not month.isdigit():
        raise ValueError(f"A month is written YYYYMM, not {month!r}.")
    return f"{queue_table(line)}_{month}"


def create_line_tables(conn: Connection, lines: Sequence[int], months_ahead: int = 2) -> None:
    """Create every table, the procedure and the monthly event that ``lines`` need; what exists is left as it is.

    :param conn: a connection whose user may create tables, routines and events. Its open transaction is committed.
    :param lines: line numbers.
    :param months_ahead: log tables are created for this month and so many after it.
    """
    busy = Unavailable("Another process is creating the line's tables; try again in a minute.")
    # Two starts at once would otherwise drop each other's procedure.
    with named_lock(conn, LOCK, 30, busy), conn.cursor() as cursor:
        for line in lines:
            cursor.execute(_statement("queue_table").replace("{table}", queue_table(line)))
        cursor.execute(_statement("marker"))
        literal = conn.literal(_statement("log_table")).decode("utf-8")
        cursor.execute("DROP PROCEDURE IF EXISTS BONGSU_LOG_TABLES")
        cursor.execute(_statement("log_tables_procedure").replace("{log_table}", literal))
        for months in range(months_ahead + 1):
            cursor.execute("CALL BONGSU_LOG_TABLES(%s)", (months,))
            cursor.fetchall()
        cursor.execute(_statement("event"))
        cursor.execute("SELECT @@event_scheduler")
        scheduler = cursor.fetchone()
    conn.commit()
    if scheduler is None or str(scheduler[0]).upper() not in ("ON", "1"):
        log.warning(
            "The line's event scheduler is off, so nothing creates next months' log tables. "
            "Set event_scheduler=ON in the server's configuration."
        )


def log_tables(conn: Connection, line: int) -> list[str]:
    """The line's log tables that exist, oldest first."""
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name REGEXP %s ORDER BY table_name",
            (f"^{queue_table(line)}_[0-9]{{6}}$",),
        )
        return [str(name) for (name,) in cursor.fetchall()]


def _statement(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")

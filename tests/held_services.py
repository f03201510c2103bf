"""The store, the SMS line and the agents below a running Airflow: looked into, and held so that others wait for them.

What the carrier was given is counted on the line's side, from the queue tables, the logs and the agents' own memory.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from MySQLdb.connections import Connection

from include.delivery.line_connection import connect_line
from include.embedded.state import Home
from sandbox.control import send
from tests.support import Databases


@dataclass(frozen=True)
class Handed:
    """What the carrier's side knows of a run: how often each key is in its tables, how often it was sent."""

    rows: Counter[str]
    sent: Counter[str]
    markers: int


@dataclass
class HeldServices:
    """The databases and the agents of the tests' home."""

    databases: Databases

    # --- the databases

    def store(self, database: str = "bongsu") -> psycopg.Connection:
        """A database of the server as its superuser, whom row-level security does not bind."""
        parts = urlsplit(self.databases.admin_url)
        return psycopg.connect(urlunsplit(parts._replace(path=f"/{database}")), application_name="test")

    def value(self, statement: str, *values: Any) -> Any:
        """The first value of one row of the store."""
        with self.store() as store:
            row = store.execute(statement.encode(), values).fetchone()
        return row[0] if row else None

    def line(self) -> Connection:
        """A connection to the SMS line."""
        return connect_line(self.databases.line_url)

    def handed(self, run_id: int) -> Handed:
        """What the carrier's side knows of a run."""
        mine = (f"{run_id}.%",)
        rows: Counter[str] = Counter()
        with self.line() as line, line.cursor() as cursor:
            for table in line_tables(cursor):
                cursor.execute(f"SELECT app_etc1 FROM {table} WHERE app_etc1 LIKE %s", mine)
                rows.update(key for (key,) in cursor.fetchall())
            cursor.execute("SELECT app_etc1 FROM SANDBOX_SENT WHERE app_etc1 LIKE %s", mine)
            sent = Counter(key for (key,) in cursor.fetchall())
            cursor.execute("SELECT count(*) FROM BONGSU_HANDOVER WHERE run_id = %s", (run_id,))
            markers = int(cursor.fetchone()[0])
        return Handed(rows, sent, markers)

    def texts(self, run_id: int) -> Counter[str]:
        """The texts that the carrier was given for a run."""
        found: Counter[str] = Counter()
        with self.line() as line, line.cursor() as cursor:
            for table in line_tables(cursor):
                cursor.execute(f"SELECT msg_contents FROM {table} WHERE app_etc1 LIKE %s", (f"{run_id}.%",))
                found.update(text for (text,) in cursor.fetchall())
        return found

    # --- faults

    @contextmanager
    def held_lines(self, *tables: str) -> Iterator[Callable[[str], None]]:
        """Hold the named locks of queue tables, so that whoever is about to write there waits; gives the release of one
        before the end.
        """
        with ExitStack() as stack:
            holders = {}
            for table in tables:
                line = stack.enter_context(self.line())
                with line.cursor() as cursor:
                    cursor.execute("SELECT GET_LOCK(%s, 60)", (table,))
                    assert cursor.fetchone()[0] == 1
                holders[table] = line
            yield lambda table: holders[table].query(f"DO RELEASE_LOCK('{table}')")

    @contextmanager
    def held_agents(self, *lines: int) -> Iterator[None]:
        """The agents hand over, but no result comes back."""
        socket = str(Home(self.databases.home).socket("agents.sock"))
        numbers = [str(line) for line in lines]
        assert "error" not in send(socket, "freeze", *numbers)
        try:
            yield
        finally:
            send(socket, "start", *numbers)

    @contextmanager
    def held_store(self, statement: str, *values: Any) -> Iterator[None]:
        """Hold the locks that ``statement`` takes in the store."""
        with self.store() as store:
            store.execute(statement.encode(), values)
            yield
            store.rollback()

    def writers(self, statement: str) -> list[int]:
        """The processes on this machine whose statement at the line, one that holds ``statement``, waits."""
        with self.line() as line, line.cursor() as cursor:
            cursor.execute(
                "SELECT host FROM information_schema.processlist WHERE info LIKE %s AND id <> connection_id() "
                "AND time_ms > 300",
                (f"%{statement}%",),
            )
            ports = [int(host.rpartition(":")[2]) for (host,) in cursor.fetchall()]
        return owners(ports)

    def waiting_in_store(self, word: str) -> list[int]:
        """The processes whose statement in the store, one that holds ``word``, waits for a lock."""
        with self.store() as store:
            rows = store.execute(
                "SELECT client_port FROM pg_stat_activity WHERE datname = 'bongsu' AND wait_event_type = 'Lock' "
                "AND query LIKE %s AND application_name <> 'test'",
                [f"%{word}%"],
            ).fetchall()
        return owners([port for (port,) in rows])


def line_tables(cursor: Any) -> list[str]:
    """Every queue and log table."""
    cursor.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() "
        "AND table_name REGEXP '^SMSQ_SEND_[0-9]+(_[0-9]{6})?$'"
    )
    return [str(name) for (name,) in cursor.fetchall()]


def owners(ports: Sequence[int]) -> list[int]:
    """The processes at the client's end of TCP connections from these ports."""
    mine = set(ports)
    found = (
        one.pid for one in psutil.net_connections("tcp") if one.laddr and one.laddr.port in mine and one.pid is not None
    )
    return sorted(set(found))

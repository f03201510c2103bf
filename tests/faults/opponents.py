"""Other people's sessions, each a process: they hold what a task needs, or lock it the other way round."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import MySQLdb
import psycopg
from MySQLdb.connections import Connection

from tests.faults.servers import Servers

WEIGHT_ROWS = 400
"""More changed rows than any chunk: the server then ends the product's transaction and not this one."""


class Opponent:
    """A session that holds something for a while.

    :param hold: takes the locks, says so, and lets go by returning.
    """

    def __init__(self, hold: Callable[[Callable[[], None]], None]) -> None:
        reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                with suppress(MySQLdb.Error, psycopg.Error):
                    hold(lambda: os.close(writing))
            finally:
                os._exit(0)
        os.close(writing)
        os.read(reading, 1)  # until the locks are held
        os.close(reading)

    def end(self) -> None:
        """End it, whatever it holds."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def hold_line(servers: Servers, table: str, seconds: float) -> Opponent:
    """Another writer has its turn on ``table``."""

    def hold(ready: Callable[[], None]) -> None:
        with _root(servers).cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(%s, 1)", (table,))
            ready()
            time.sleep(seconds)

    return Opponent(hold)


def hold_rows(servers: Servers, table: str, seconds: float) -> Opponent:
    """Nobody can insert at the end of ``table``."""

    def hold(ready: Callable[[], None]) -> None:
        with _root(servers).cursor() as cursor:
            cursor.execute(f"SELECT seqno FROM {table} WHERE seqno > 1000000000000 FOR UPDATE")
            ready()
            time.sleep(seconds)

    return Opponent(hold)


def deadlock_line(servers: Servers, table: str, run_id: int, chunk: int, seconds: float) -> Opponent:
    """Holds the end of the queue and, when the product waits there with its marker written, wants the marker."""

    def hold(ready: Callable[[], None]) -> None:
        with _root(servers).cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS FAULT_WEIGHT (n INT)")
            cursor.execute(f"INSERT INTO FAULT_WEIGHT SELECT seq FROM seq_1_to_{WEIGHT_ROWS}")
            cursor.execute(f"SELECT seqno FROM {table} WHERE seqno > 1000000000000 FOR UPDATE")
            ready()
            wanted = "SELECT count(*) FROM information_schema.innodb_lock_waits"
            limit = time.monotonic() + seconds
            while time.monotonic() < limit:
                cursor.execute(wanted)
                row = cursor.fetchone()
                if row and row[0]:
                    cursor.execute(
                        "SELECT row_count FROM BONGSU_HANDOVER WHERE run_id = %s AND chunk_no = %s FOR UPDATE",
                        (run_id, chunk),
                    )
                    return
                time.sleep(0.005)

    return Opponent(hold)


def hold_chunk(servers: Servers, run_id: int, chunk: int, seconds: float) -> Opponent:
    """Somebody looks at the chunk's row with a lock."""

    def hold(ready: Callable[[], None]) -> None:
        with psycopg.connect(servers.platform_url) as store:
            store.execute("SELECT FROM chunks WHERE run_id = %s AND chunk_no = %s FOR UPDATE", [run_id, chunk])
            ready()
            time.sleep(seconds)

    return Opponent(hold)


def deadlock_store(servers: Servers, run_id: int, chunk: int, seconds: float) -> Opponent:
    """Holds the chunk's row and, when the product waits for it with its messages changed, wants the messages."""

    def hold(ready: Callable[[], None]) -> None:
        with (
            psycopg.connect(servers.platform_url) as store,
            psycopg.connect(servers.site.store_url("postgres", "bongsu"), autocommit=True) as look,
        ):
            store.execute("SELECT FROM chunks WHERE run_id = %s AND chunk_no = %s FOR UPDATE", [run_id, chunk])
            ready()
            limit = time.monotonic() + seconds
            while time.monotonic() < limit:
                if look.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone() is not None:
                    store.execute(
                        "SELECT FROM messages WHERE run_id = %s AND chunk_no = %s FOR UPDATE", [run_id, chunk]
                    )
                    return
                time.sleep(0.005)

    return Opponent(hold)


def _root(servers: Servers) -> Connection:
    socket = str(servers.home.socket("mariadb.sock"))
    return MySQLdb.connect(unix_socket=socket, user="root", database="smsline", autocommit=False, charset="utf8mb4")

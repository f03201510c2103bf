"""The two real servers under a worker's schedules: its own PostgreSQL and MariaDB, which it may kill and start again.

Their programs, settings and schema are the product's own (``include.embedded``); what is added makes faults possible:
triggers that report a full disk while a row of a control table says so, and time-outs short enough to be met.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import MySQLdb
import MySQLdb.cursors
import psycopg
from MySQLdb.connections import Connection
from psycopg import sql

from include.delivery.line_connection import connect_line
from include.delivery.line_schema import create_line_tables
from include.embedded import mariadb, postgres
from include.embedded.catalog import product_environment
from include.embedded.processes import base_environment, spawn, stop, sweep
from include.embedded.service import Service, Site
from include.embedded.state import Home, choose_ports, load_secrets, try_lock
from include.settings import ROOT, settings

HOMES = ROOT / ".bongsu" / "faults"
LINES = (1, 2, 3)
READY_SECONDS = 90.0
# Given after the product's own settings, so these win. Only this process's SIGKILL has to be survived, not a power cut.
STORE_OPTIONS = [
    "-c",
    "fsync=off",
    "-c",
    "scram_iterations=1",
    "-c",
    "deadlock_timeout=40ms",
    "-c",
    "shared_buffers=128MB",
]
LINE_OPTIONS = [
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-size=128M",
    "--innodb-log-file-size=64M",
    "--performance-schema=OFF",
]
STORE_FULL = """
CREATE TABLE IF NOT EXISTS fault_disk (name text PRIMARY KEY);
GRANT SELECT ON fault_disk TO PUBLIC;
CREATE OR REPLACE FUNCTION fault_disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM fault_disk WHERE name = TG_ARGV[0]) THEN
        RAISE EXCEPTION SQLSTATE '53100' USING MESSAGE = 'could not extend file: No space left on device';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION fault_staging_full() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'staging')
       AND EXISTS (SELECT FROM public.fault_disk WHERE name = 'staging') THEN
        RAISE EXCEPTION SQLSTATE '53100' USING MESSAGE = 'could not extend file: No space left on device';
    END IF;
END $$;
DROP EVENT TRIGGER IF EXISTS fault_staging_full;
CREATE EVENT TRIGGER fault_staging_full ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
    EXECUTE FUNCTION fault_staging_full();
"""
STORE_TABLES = ("recipients", "chunks", "messages", "message_events", "certificates")


def free_home() -> tuple[Home, int]:
    """The first home of :data:`HOMES` that no other worker of this machine uses, and the lock that keeps it."""
    for number in range(64):
        home = Home(HOMES / str(number))
        home.create()
        if (lock := try_lock(home.path / "worker.lock", shared=False)) is not None:
            return home, lock
    raise RuntimeError(f"All homes of {HOMES} are in use.")


class Servers:
    """A worker's servers. Connections for administration are made anew whenever they were lost."""

    def __init__(self) -> None:
        self.home, self._lock = free_home()
        sweep(self.home.path)
        self.site = Site(self.home, choose_ports(self.home), load_secrets(self.home))
        self._services = {
            "postgres": (postgres.service(self.site), STORE_OPTIONS),
            "mariadb": (mariadb.service(self.site), LINE_OPTIONS),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._store: psycopg.Connection | None = None
        self._line: Connection | None = None

    @property
    def line_url(self) -> str:
        return self.site.line_url

    @property
    def agent_url(self) -> str:
        """The line as the carrier's agents."""
        return self.site.line_agent_url

    @property
    def store_url(self) -> str:
        return self.site.store_url("bongsu_app")

    @property
    def platform_url(self) -> str:
        return self.site.store_url("bongsu_platform")

    def start(self) -> None:
        """Both servers with everything a run needs in them."""
        for name in self._services:
            self._start(name)
        for name, (service, _) in self._services.items():
            self._until_ready(name, service)
        values = product_environment(self.site) | {"BONGSU_CUSTOMER_FILES": str(self.home.path / "customer-files")}
        os.environ.update(values)
        settings.cache_clear()
        # In a process of its own: what the migrations import would be copied by every fork.
        environment = {**base_environment(self.home.path), **values}
        subprocess.run([sys.executable, "-m", "include.embedded.prepare", "store"], check=True, env=environment)
        with self.root() as cursor:
            cursor.execute("USE smsline")
            self._prepare_line(cursor)
        self._prepare_store()

    def stop(self) -> None:
        """Stop both."""
        self.forget()
        for name, process in self._processes.items():
            stop(process, signal.SIGQUIT if name == "postgres" else signal.SIGKILL, 20)

    def restart(self, name: str, how: int) -> None:
        """End a server with signal ``how`` and start it again, as a supervisor does."""
        process = self._processes[name]
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:  # a fast stop that waits for somebody
            process.send_signal(signal.SIGQUIT)
            process.wait(15)
        self.forget()
        self._start(name)
        self._until_up(name)

    def forget(self) -> None:
        """Close the connections for administration."""
        for connection in (self._store, self._line):
            with suppress(psycopg.Error, MySQLdb.Error):
                if connection is not None:
                    connection.close()
        self._store = self._line = None

    def admin(self, statement: str, values: Sequence[object] | None = None) -> list[tuple[object, ...]]:
        """Run a statement in the store as its superuser; its rows."""
        for again in (True, False):
            try:
                if self._store is None or self._store.closed:
                    url = self.site.store_url("postgres", "bongsu")
                    self._store = psycopg.connect(url, autocommit=True, connect_timeout=5)
                cursor = self._store.execute(statement.encode(), values)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                self._store = None
                if not again:
                    raise
        return []

    @contextmanager
    def root(self) -> Iterator[MySQLdb.cursors.Cursor]:
        """A cursor of the line's superuser, autocommitted. Through the server's socket: root gets in nowhere else."""
        try:
            if self._line is not None:
                self._line.ping()
        except MySQLdb.Error:
            self._line = None
        if self._line is None:
            socket = str(self.home.socket("mariadb.sock"))
            self._line = MySQLdb.connect(unix_socket=socket, user="root", autocommit=True, charset="utf8mb4")
        with self._line.cursor() as cursor:
            yield cursor

    def _start(self, name: str) -> None:
        service, options = self._services[name]
        service.prepare()
        self._processes[name] = spawn(
            [*service.command, *options],
            environment=service.environment,
            log=self.home.log(name),
            death_signal=signal.SIGQUIT if name == "postgres" else signal.SIGKILL,
            user=service.user,
        )

    def _until_ready(self, name: str, service: Service) -> None:
        limit = time.monotonic() + READY_SECONDS
        while not service.is_ready():
            if self._processes[name].poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"{name} did not start; see {self.home.log(name)}")

    def _until_up(self, name: str) -> None:
        limit = time.monotonic() + READY_SECONDS
        while True:
            try:
                if name == "postgres":
                    psycopg.connect(self.site.store_url("postgres", "bongsu"), connect_timeout=3).close()
                else:
                    connect_line(self.line_url, connect_timeout=3).close()
                return
            except Exception:
                if self._processes[name].poll() is not None:
                    self._start(name)
                if time.monotonic() > limit:
                    raise
                time.sleep(0.02)

    def _prepare_line(self, cursor: MySQLdb.cursors.Cursor) -> None:
        line = connect_line(self.site.line_tables_url)
        try:
            create_line_tables(line, LINES)
            with line.cursor() as own:
                own.execute("CALL BONGSU_LOG_TABLES(-1)")  # schedules that begin in the month before
        finally:
            line.close()
        cursor.execute("CREATE TABLE IF NOT EXISTS FAULT_DISK (name VARCHAR(64) PRIMARY KEY, error INT, recipient INT)")
        cursor.execute("DELETE FROM FAULT_DISK")
        cursor.execute("SET GLOBAL init_connect = ''")
        for table in (*(f"SMSQ_SEND_{line}" for line in LINES), "BONGSU_HANDOVER"):
            # A row in the middle of the chunk, so that there is something to roll back.
            where = "recipient <= substring_index(NEW.app_etc1, '.', -1)" if table != "BONGSU_HANDOVER" else "TRUE"
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER FAULT_{table} BEFORE INSERT ON {table} FOR EACH ROW BEGIN "
                "DECLARE number INT DEFAULT NULL; "
                f"SELECT error INTO number FROM FAULT_DISK WHERE name = '{table}' AND {where} LIMIT 1; "
                "IF number = 1021 THEN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = 'Disk full'; "
                "ELSEIF number = 1114 THEN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, "
                "MESSAGE_TEXT = 'The table is full'; END IF; END"
            )

    def _prepare_store(self) -> None:
        self.admin(STORE_FULL)
        self.admin("DELETE FROM fault_disk")
        for table in STORE_TABLES:
            self.admin(
                sql.SQL(
                    "CREATE OR REPLACE TRIGGER fault_disk_full BEFORE INSERT ON {} FOR EACH STATEMENT "
                    "EXECUTE FUNCTION fault_disk_full({})"
                )
                .format(sql.Identifier(table), sql.Literal(table))
                .as_string()
            )

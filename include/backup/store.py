"""The campaign store's side of a backup: a snapshot dumped by ``pg_dump``, and put back in one transaction."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from include.backup.manifest import BackupError, OpenChunk
from include.backup.postgres_tools import arguments_and_environment, find_tools
from include.queries import query
from include.store import connect

LOADED = "-- loaded --"
LOCK_TIMEOUT = "10s"


class StoreSnapshot:
    """The store as it is when :meth:`take` is called; lives in a transaction of its own."""

    def __init__(self, url: str) -> None:
        self._url, self._name = url, ""
        self.connection = connect(url, application_name="bongsu backup")
        self.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self.connection.read_only = True
        self.server = self.connection.info.server_version // 10_000

    def take(self) -> None:
        """Fix the moment."""
        self._name = str(_one(self.connection, "SELECT pg_export_snapshot()"))

    def revision(self) -> str:
        """The store's last migration."""
        return str(_one(self.connection, "SELECT version_num FROM alembic_version"))

    def dump(self, file: Path) -> dict[str, int]:
        """Write the dump; rows by table, partitions by their own names.

        :raises BackupError: ``pg_dump`` failed, or the owner does not see every row.
        """
        where, environment = arguments_and_environment(self._url)
        command = [
            *(str(find_tools(self.server) / "pg_dump"), *where, "--format=custom", "--compress=1", f"--file={file}"),
            *(f"--snapshot={self._name}", "--enable-row-security"),
            # Tables of runs not yet frozen. Their locks would hold up every freeze, and a restored run is not resumed.
            "--exclude-table=staging.*",
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BackupError(f"pg_dump failed: {_last(done.stderr)}. Nothing was backed up.")
        rows = count_rows(self.connection)
        for parent, partitions in self.connection.execute(query("backup/partitions")).fetchall():
            # A dump reads each partition by its own name, where a policy of the parent does not hold.
            if (seen := sum(rows[name] for name in partitions)) != (right := _count(self.connection, parent)):
                raise BackupError(
                    f"{parent} has {right:,} rows, its partitions show their owner {seen:,}: a dump would lose "
                    "the others. A partition lacks the policy owner_all. Nothing was backed up."
                )
        return rows

    def close(self) -> None:
        self.connection.close()


@contextmanager
def replaced_store(url: str, file: Path, settle: Sequence[bytes]) -> Iterator["LoadedStore"]:
    """The store with everything in it replaced by the dump, in a transaction that the block commits; else as it was.

    :param url: the store, as the owner of its tables.
    :param settle: statements that follow the dump in the same transaction.
    :raises BackupError: it could not be loaded.
    """
    with connect(url) as owner:
        tools = find_tools(owner.info.server_version // 10_000)
    where, environment = arguments_and_environment(url)
    psql = [str(tools / "psql"), *where, "--no-psqlrc", "--quiet", "--output=/dev/null"]
    # An error's detail may quote a row.
    psql += ["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"]
    with tempfile.TemporaryFile() as problems:
        loading = subprocess.Popen(
            psql, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=problems
        )
        try:
            pg_restore = [str(tools / "pg_restore"), "--no-owner", "--enable-row-security", "--file=-", str(file)]
            with subprocess.Popen(pg_restore, stdout=subprocess.PIPE, stderr=problems) as reading:
                yield _load(loading, reading, settle)
        except (BrokenPipeError, _Ended):
            pass
        else:
            return
        finally:
            # Whatever was not committed is undone with the session.
            loading.kill()
            loading.wait()
            for pipe in (loading.stdin, loading.stdout):
                with suppress(OSError):  # what psql has not read any more
                    assert pipe is not None
                    pipe.close()
            problems.seek(0)
            shown = problems.read().decode(errors="replace")
        raise BackupError(f"The dump could not be loaded: {_last(shown)}. The store is as it was.")


class _Ended(Exception):
    """A program ended before it had done its work; it has said why."""


class LoadedStore:
    """A store that is loaded and not yet committed."""

    def __init__(self, loading: "subprocess.Popen[bytes]") -> None:
        self._loading = loading

    def commit(self) -> None:
        """Make it the store."""
        assert self._loading.stdin is not None
        self._loading.stdin.write(b"COMMIT;\n")
        self._loading.stdin.close()
        if self._loading.wait() != 0:
            raise _Ended


def _load(
    loading: "subprocess.Popen[bytes]", reading: "subprocess.Popen[bytes]", settle: Sequence[bytes]
) -> LoadedStore:
    """Let ``loading`` (psql) do what ``reading`` (pg_restore) and ``settle`` say, up to the commit."""
    assert loading.stdin is not None
    assert loading.stdout is not None
    assert reading.stdout is not None
    loading.stdin.write(f"BEGIN;\nSET LOCAL lock_timeout = '{LOCK_TIMEOUT}';\nDROP OWNED BY CURRENT_USER;\n".encode())
    shutil.copyfileobj(reading.stdout, loading.stdin, 1 << 20)
    if reading.wait() != 0:
        raise _Ended
    # The dump's script leaves no search path. What a commit would check is checked now, before anything else changes.
    loading.stdin.write(b"SET LOCAL search_path = public;\n" + b"".join(one + b";\n" for one in settle))
    loading.stdin.write(b"SET CONSTRAINTS ALL IMMEDIATE;\n")
    loading.stdin.write(f"\\echo {LOADED}\n".encode())
    loading.stdin.flush()
    for line in loading.stdout:
        if line.decode().strip() == LOADED:
            return LoadedStore(loading)
    loading.wait()
    raise _Ended


def open_chunks(store: psycopg.Connection) -> list[OpenChunk]:
    """Chunks whose hand-over the store does not know of."""
    with store.cursor(row_factory=class_row(OpenChunk)) as cursor:
        return cursor.execute(query("backup/open_chunks")).fetchall()


def count_rows(store: psycopg.Connection) -> dict[str, int]:
    """Rows of every table that is backed up, partitions by their own names."""
    return {name: _count(store, name) for (name,) in store.execute(query("backup/tables")).fetchall()}


def _count(store: psycopg.Connection, table: str) -> int:
    return int(_one(store, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split(".")))))


def _one(store: psycopg.Connection, statement: str | sql.Composed) -> Any:
    row = store.execute(statement.encode() if isinstance(statement, str) else statement).fetchone()
    assert row is not None
    return row[0]


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].rstrip(".") if lines else "it said nothing"

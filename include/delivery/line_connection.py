"""Opens connections to the SMS line's MariaDB or MySQL; owns the URL's form and the session's defaults."""

from urllib.parse import parse_qsl, unquote, urlsplit

import MySQLdb
from MySQLdb.connections import Connection

from include.errors import Unavailable

# The server is not there, is full, is shutting down, or the network gave way: a retry can help.
GONE = frozenset({1040, 1053, 1077, 1079, 1080, 1203, 2002, 2003, 2005, 2006, 2012, 2013, 2055})


def connect_line(url: str, **options: object) -> Connection:
    """A connection to the line's database, with autocommit off and ``LOAD DATA LOCAL`` allowed.

    The session's time zone stays the server's: the agent compares ``sendreq_time`` with the server's ``NOW()``. A lost
    connection stays lost, because a silent reconnect would drop the named lock and the open transaction with it.

    :param url: ``mysql://user:password@host:port/database``; user and password percent-encoded. ``?unix_socket=`` and
        ``?ssl_ca=`` are understood.
    :param options: arguments of ``MySQLdb.connect`` that replace the defaults, such as ``read_timeout``.
    :raises ValueError: the URL is not one of a line.
    :raises Unavailable: the server cannot be reached.
    """
    arguments = line_arguments(url)
    arguments.update(options)
    try:
        return MySQLdb.connect(**arguments)
    except MySQLdb.OperationalError as error:
        if error.args and error.args[0] in GONE:
            raise Unavailable(
                f"The SMS line's database does not answer: {error.args[-1]}. Check that it runs."
            ) from error
        raise


def line_arguments(url: str) -> dict[str, object]:
    """The arguments of ``MySQLdb.connect`` that ``url`` stands for."""
    parts = urlsplit(url)
    database = unquote(parts.path.lstrip("/"))
    if parts.scheme not in ("mysql", "mariadb") or not database:
        # The URL itself is not repeated: it may hold a password.
        raise ValueError("The SMS line's URL must look like mysql://user:password@host:3306/database.")
    arguments: dict[str, object] = {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port or 3306,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": database,
        "charset": "utf8mb4",
        "use_unicode": True,
        "local_infile": 1,
        "autocommit": False,
        "connect_timeout": 10,
        # Longer than any wait for a named lock or a chunk's LOAD DATA, short enough to notice a dead peer.
        "read_timeout": 180,
        "write_timeout": 180,
    }
    for key, value in parse_qsl(parts.query):
        if key == "unix_socket":
            arguments["unix_socket"] = value
        elif key == "ssl_ca":
            arguments["ssl"] = {"ca": value}
        else:
            raise ValueError(f"The SMS line's URL has an option {key!r}; only unix_socket and ssl_ca are understood.")
    return arguments

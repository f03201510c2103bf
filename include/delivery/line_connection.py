"""Opens connections to the SMS line's MariaDB or MySQL; owns the URL's form and the session's defaults.

Whoever is the server may ask the client library for any file of the client's machine, after any statement: that is how
``LOAD DATA LOCAL`` works. So a connection gives no file, but for the hand-over's, and that one only to a server that
is known to be the right one.
"""

from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import MySQLdb
from MySQLdb.connections import Connection

from include.errors import Unavailable

# The server is not there, is full, is shutting down, or the network gave way: a retry can help.
GONE = frozenset({1040, 1053, 1077, 1079, 1080, 1203, 2002, 2003, 2005, 2006, 2012, 2013, 2055})


class LineConnection(Connection):
    """A connection to the line's database.

    :ivar gives_files: whether ``LOAD DATA LOCAL`` is possible: the server may then read any file that this process may.
    """

    gives_files: bool

    def __init__(self, *, local_infile: int, **arguments: Any) -> None:
        super().__init__(local_infile=local_infile, **arguments)
        self.gives_files = bool(local_infile)


def connect_line(url: str, **options: object) -> LineConnection:
    """A connection to the line's database, with autocommit off, that gives the server no file.

    The session's time zone stays the server's: the agent compares ``sendreq_time`` with the server's ``NOW()``. A lost
    connection stays lost, because a silent reconnect would drop the named lock and the open transaction with it.

    :param url: ``mysql://user:password@host:port/database``; user and password percent-encoded. ``?unix_socket=`` and
        ``?ssl_ca=`` are understood; with the latter the server must show a certificate of that authority for that host.
    :param options: arguments of ``MySQLdb.connect`` that replace the defaults, such as ``read_timeout``.
    :raises ValueError: the URL is not one of a line.
    :raises Unavailable: the server cannot be reached.
    """
    return _connect({**line_arguments(url), **options})


def connect_for_hand_over(url: str, **options: object) -> LineConnection:
    """As :func:`connect_line`, with ``LOAD DATA LOCAL`` where the server is known to be the right one."""
    arguments = line_arguments(url)
    return _connect({**arguments, "local_infile": int(_is_known(arguments)), **options})


def _connect(arguments: dict[str, Any]) -> LineConnection:
    try:
        return LineConnection(**arguments)
    except MySQLdb.OperationalError as error:
        if error.args and error.args[0] in GONE:
            raise Unavailable(
                f"The SMS line's database does not answer: {error.args[-1]}. Check that it runs."
            ) from error
        raise


def _is_known(arguments: dict[str, Any]) -> bool:
    """Whether nobody else can answer in the server's place: it is this machine's, or shows a certificate."""
    host = str(arguments["host"])
    if "unix_socket" in arguments or "ssl" in arguments or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name: whoever answers to it
        return False


def line_arguments(url: str) -> dict[str, Any]:
    """The arguments of ``MySQLdb.connect`` that ``url`` stands for."""
    parts = urlsplit(url)
    database = unquote(parts.path.lstrip("/"))
    if parts.scheme not in ("mysql", "mariadb") or not database:
        # The URL itself is not repeated: it may hold a password.
        raise ValueError("The SMS line's URL must look like mysql://user:password@host:3306/database.")
    arguments: dict[str, Any] = {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port or 3306,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": database,
        "charset": "utf8mb4",
        "use_unicode": True,
        "local_infile": 0,
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
            # The authority's file alone checks no name, and goes on in clear text with a server without TLS.
            arguments |= {"ssl": {"ca": value}, "ssl_mode": "VERIFY_IDENTITY"}
        else:
            raise ValueError(f"The SMS line's URL has an option {key!r}; only unix_socket and ssl_ca are understood.")
    return arguments

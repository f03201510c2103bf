"""The codes of PostgreSQL, MariaDB and MySQL, each with its kind; owns the tables that :mod:`include.taxonomy` reads.

A code of PostgreSQL is looked up from its five characters down to its class of two. docs/operations/faults.md lists the
same codes; a test compares them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

RETRIES = 24
"""Times a task is tried again at most: 24 pauses of 15 minutes are the six hours of an outage."""


class Kind(StrEnum):
    """How an error is treated."""

    network = "network"
    """A server cannot be reached, or a connection was lost: it may be back in seconds."""
    outage = "outage"
    """A server says that it cannot work, or has not worked for long: somebody is at it, or should be."""
    rate_limit = "rate_limit"
    """A server has too much to do: come later, less often."""
    contention = "contention"
    """Others were in the way: deadlock, lock wait, time-out. Tried again as after a lost connection."""
    permanent = "permanent"
    """The same again gives the same answer."""


@dataclass(frozen=True)
class Rule:
    """What one code means.

    :param what: what happened, to follow the server's name.
    :param advice: what an operator can do; empty when nothing is needed.
    :param quote: the server's message can only name tables, columns, users and databases and may be shown.
    """

    kind: Kind
    what: str
    advice: str = ""
    quote: bool = False


_REACH = "Check that it runs and can be reached."
_ROOM = "Make room on its disk, or give it more."
_WRITABLE = "Make it writable, or point the connection to the server that is."
_LOGIN = "Correct user, password or rights of the Airflow connection."
_TABLES = "Run the migrations (store) or bongsu's set-up of the line's tables, or correct the connection's database."
_REPORT = "Read the traceback in the task's log and report it."
_LIMITS = "Fewer slots in the pools, or a higher limit on the server."

_LOST = Rule(Kind.network, "lost the connection", _REACH)
_AWAY = Rule(Kind.network, "cannot be reached", _REACH)
_STARTING = Rule(Kind.network, "is starting, stopping or was restarted", _REACH)
_BUSY = Rule(Kind.rate_limit, "has no connection free", _LIMITS)
_FULL = Rule(Kind.outage, "has no room left on its disk", _ROOM)
_RESOURCES = Rule(Kind.outage, "has run out of memory or another resource", "Look at its log and give it more.")
_BROKEN_DISK = Rule(Kind.outage, "cannot read or write its files", "Look at its log and its disk.")
_READ_ONLY = Rule(Kind.outage, "takes no writes at the moment", _WRITABLE)
_DEADLOCK = Rule(Kind.contention, "ended the transaction because another one was in its way (deadlock)")
_LOCK_WAIT = Rule(Kind.contention, "waited too long for a lock that another one holds", "Each time: find who holds it.")
_SLOW = Rule(Kind.contention, "ended a statement that took too long or was cancelled", "Each time: look at its load.")
_REFUSES_LOGIN = Rule(Kind.permanent, "does not let us in or forbids the statement", _LOGIN, quote=True)
_NO_TABLE = Rule(Kind.permanent, "lacks a table or column", _TABLES, quote=True)
_NO_DATABASE = Rule(Kind.permanent, "lacks the database", _TABLES, quote=True)
_BAD_VALUE = Rule(Kind.permanent, "refused a value that does not fit its column", _REPORT)
_BAD_ROW = Rule(Kind.permanent, "refused a row that breaks a rule of its table", _REPORT)
_BAD_STATEMENT = Rule(Kind.permanent, "does not understand the statement", _REPORT)
_DAMAGED = Rule(Kind.permanent, "says that a table is damaged", "Repair it or restore a backup (docs/operations).")
_NO_LOAD = Rule(Kind.permanent, "forbids LOAD DATA LOCAL", "Nothing: rows are inserted without it instead.")

STORE: dict[str, Rule] = {
    "08": _LOST,
    "22": _BAD_VALUE,
    "23": _BAD_ROW,
    "25006": _READ_ONLY,
    "25P03": _LOST,
    "28": _REFUSES_LOGIN,
    "3D": _NO_DATABASE,
    "3F": _NO_TABLE,
    "40": _DEADLOCK,
    "42": _BAD_STATEMENT,
    "42501": _REFUSES_LOGIN,
    "42703": _NO_TABLE,
    "42883": _NO_TABLE,
    "42P01": _NO_TABLE,
    "53": _RESOURCES,
    "53100": _FULL,
    "53300": _BUSY,
    "55006": _LOCK_WAIT,
    "55P03": _LOCK_WAIT,
    "57014": _SLOW,
    "57P01": _STARTING,
    "57P02": _STARTING,
    "57P03": _STARTING,
    "57P04": _NO_DATABASE,
    "57P05": _LOST,
    "58": _BROKEN_DISK,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}
"""By SQLSTATE or the beginning of one."""

CONNECT_TEXTS: tuple[tuple[str, Rule], ...] = (
    ("password authentication failed", _REFUSES_LOGIN),
    ("no password supplied", _REFUSES_LOGIN),
    ("no pg_hba.conf entry", _REFUSES_LOGIN),
    ("permission denied for database", _REFUSES_LOGIN),
    ("is not permitted to log in", _REFUSES_LOGIN),
    ("certificate verify failed", _REFUSES_LOGIN),
    ("too many clients", _BUSY),
    ("too many connections", _BUSY),
    ("connection slots are reserved", _BUSY),
    ('FATAL:  role "', _REFUSES_LOGIN),
    ("is starting up", _STARTING),
    ("is shutting down", _STARTING),
    ("in recovery mode", _STARTING),
    ("not currently accepting connections", _STARTING),
    ("FATAL:  database ", _NO_DATABASE),
)
"""Words of a refused connection to PostgreSQL, for which libpq gives no code. Other words: it cannot be reached."""


def _all(rule: Rule, numbers: Iterable[int]) -> dict[int, Rule]:
    return dict.fromkeys(numbers, rule)


LINE: dict[int, Rule] = {
    **_all(_LOST, (1042, 1043, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031)),
    **_all(_LOST, (2000, 2006, 2012, 2013, 2014, 2026, 2027, 2055)),
    **_all(_AWAY, (2002, 2003, 2005)),
    **_all(_STARTING, (1053, 1077, 1079, 1080)),
    **_all(_BUSY, (1040, 1203, 1226)),
    **_all(_FULL, (1021, 1114, 1878)),
    **_all(_RESOURCES, (1037, 1038, 1041, 1129)),
    **_all(_BROKEN_DISK, (1016, 1026, 1030, 1180)),
    **_all(_READ_ONLY, (1290, 1792, 1836)),
    **_all(_DEADLOCK, (1020, 1213)),
    **_all(_LOCK_WAIT, (1205, 1206)),
    **_all(_SLOW, (1317, 1969, 3024)),
    **_all(_REFUSES_LOGIN, (1044, 1045, 1130, 1142, 1143, 1227, 1370, 1698, 2059)),
    **_all(_NO_TABLE, (1054, 1146, 1932)),
    **_all(_NO_DATABASE, (1049,)),
    **_all(_BAD_STATEMENT, (1064, 1153)),
    **_all(_BAD_ROW, (1048, 1062)),
    **_all(_BAD_VALUE, (1264, 1265, 1292, 1366, 1406)),
    **_all(_DAMAGED, (1034, 1194, 1195)),
    **_all(_NO_LOAD, (1148, 2068, 3948, 4166)),
}
"""By error number of MariaDB and MySQL; 2000 and above are the client library's."""

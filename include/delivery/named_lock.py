"""Named locks of the line's server: they live on a connection and die with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import MySQLdb
from MySQLdb.constants import CR

from include.errors import BongsuError


@contextmanager
def named_lock(connection: MySQLdb.Connection, name: str, seconds: float, otherwise: BongsuError) -> Iterator[None]:
    """Hold a lock while the block runs.

    :param seconds: how long it is waited for.
    :raises BongsuError: ``otherwise``: it was not free for so long.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s)", (name, seconds))
        row = cursor.fetchone()
    if row is None or row[0] != 1:
        raise otherwise
    try:
        yield
    finally:
        _release(connection, name)


def _release(connection: MySQLdb.Connection, name: str) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("DO RELEASE_LOCK(%s)", (name,))
    except MySQLdb.Error as error:
        # a lost connection has released its locks already
        if not error.args or error.args[0] not in (CR.SERVER_GONE_ERROR, CR.SERVER_LOST):
            raise

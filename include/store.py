"""Connections to the campaign store: psycopg 3, with the tenant named for row-level security.

Rows of other tenants do not exist for the application role until the session names its tenant; the name is set here and
nowhere else.
"""

import psycopg
from psycopg import sql

from include.errors import BongsuError, Unavailable

SET_AGAINST_SET = "SET LOCAL enable_nestloop = off"
"""For a transaction that joins a run's new rows: the planner's statistics have not seen the run yet, so it would expect
one row and go over all pairs; without that choice it hashes or merges."""


class UnknownTenant(BongsuError):
    """The tenant named does not exist, or is not below the one that asks."""


def connect(
    url: str, tenant: int | None = None, *, application_name: str = "bongsu", actor: str = ""
) -> psycopg.Connection:
    """A connection that sees ``tenant`` and those below it.

    :param url: ``postgresql://…`` of the role to connect as.
    :param tenant: tenant id; ``None`` for the platform role, which needs none.
    :param actor: whom it acts for: a person or a schedule, as the audit log names it.
    :raises Unavailable: the store does not answer.
    """
    try:
        connection = psycopg.connect(
            url,
            application_name=application_name,
            connect_timeout=10,
            # a set's statements are few and long: each is planned for its own numbers, never for an average chunk
            prepare_threshold=None,
            options="-c timezone=UTC -c jit=off",
        )
    except psycopg.OperationalError as error:
        raise Unavailable(f"The campaign store does not answer: {str(error).splitlines()[0]}") from error
    if actor:
        connection.execute("SELECT set_config('app.actor', %s, false)", [actor])
        connection.commit()
    if tenant is not None:
        act_as(connection, tenant)
    return connection


def act_as(connection: psycopg.Connection, tenant: int) -> None:
    """Name the tenant for the rest of the session."""
    connection.execute(sql.SQL("SET app.tenant_id = {}").format(sql.Literal(str(int(tenant)))))
    connection.commit()


def tenant_id(platform: psycopg.Connection, slug: str) -> int:
    """The id of the tenant called ``slug``.

    :param platform: a connection of the platform role.
    :raises UnknownTenant: there is none.
    """
    row = platform.execute("SELECT tenant_id FROM tenants WHERE slug = %s", [slug]).fetchone()
    if row is None:
        known = [name for (name,) in platform.execute("SELECT slug FROM tenants ORDER BY slug LIMIT 20")]
        raise UnknownTenant(
            f"tenant: there is no tenant {slug!r}; known: {', '.join(known) or 'none'}. "
            f"Add it with: bongsu tenant add {slug}"
        )
    return int(row[0])

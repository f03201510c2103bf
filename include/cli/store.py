"""How commands reach the campaign store: as the platform to find a tenant, then as the application bound to
it.
"""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from include.errors import BongsuError
from include.queries import query
from include.settings import settings
from include.store import connect, tenant_id

NAME = "bongsu cli"
# Where the logins are that the containers of a compose installation do not all have.
WHERE = {
    "platform_url": "docker compose exec bongsu bongsu …",
    "owner_url": "docker compose run --rm airflow-init bongsu …",
    "line_tables_url": "docker compose run --rm airflow-init bongsu …",
}


class Ambiguous(BongsuError):
    """Several tenants could be meant."""


def actor() -> str:
    """Who types the command, for the audit log: the user of this machine."""
    try:
        return f"command line, {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"command line, user {os.getuid()}"


@contextmanager
def platform() -> Iterator[psycopg.Connection]:
    """The store as the platform role, which sees every tenant.

    :raises BongsuError: this environment has no login of that role, as where tasks run.
    """
    with connect(needed("platform_url"), application_name=NAME, actor=actor()) as connection:
        yield connection


@contextmanager
def owner() -> Iterator[psycopg.Connection]:
    """The store as the owner of its tables."""
    with connect(needed("owner_url"), application_name=NAME, actor=actor()) as connection:
        yield connection


def needed(setting: str) -> str:
    """A URL that this command cannot do without.

    :raises BongsuError: it is not set.
    """
    if url := getattr(settings(), setting):
        return str(url)
    name = f"BONGSU_{setting.upper()}"
    raise BongsuError(
        f"{name} is not set, and this command needs it. Where tasks run it is missing on purpose: "
        f"give it to this one command, or with compose use: {WHERE[setting]}"
    )


@contextmanager
def tenant_store(slug: str) -> Iterator[tuple[psycopg.Connection, int]]:
    """The store as the application role bound to tenant ``slug``, and the tenant's id."""
    with platform() as connection:
        tenant = tenant_id(connection, slug)
    with connect(settings().store_url, tenant, application_name=NAME, actor=actor()) as connection:
        yield connection, tenant


def owner_of(campaign: str, tenant: str | None) -> str:
    """The tenant whose campaign is meant: the one named, or the only one that has a campaign called so.

    :raises BongsuError: none has, or several have, or the one named has not.
    """
    with platform() as connection:
        if tenant is not None:
            tenant_id(connection, tenant)
        owners = [str(slug) for (slug,) in connection.execute(query("tenants/of_campaign"), [campaign])]
    if not owners:
        raise BongsuError(f"There is no campaign {campaign!r}. Apply one with: bongsu apply FILE")
    if tenant is not None and tenant not in owners:
        raise BongsuError(f"Tenant {tenant} has no campaign {campaign!r}; one of that name has: {', '.join(owners)}")
    if tenant is None and len(owners) > 1:
        raise Ambiguous(f"Tenants {', '.join(owners)} have a campaign {campaign!r}; add --tenant")
    return tenant or owners[0]


def owner_of_run(run_id: int) -> str:
    """The tenant whose run is meant.

    :raises BongsuError: there is no run of that number.
    """
    with platform() as connection:
        row = connection.execute(query("audit/owner"), [run_id]).fetchone()
    if row is None:
        raise BongsuError(f"There is no run {run_id}.")
    return str(row[0])

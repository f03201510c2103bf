"""``bongsu halt``, ``lift`` and ``state``: what a person stops, and lets go again."""

from enum import StrEnum
from typing import Annotated

import typer

from include.cli.output import answer, clear_errors, say


class State(StrEnum):
    """States of a campaign: a paused one starts no run until it is live again, an archived one has no DAG."""

    live = "live"
    paused = "paused"
    archived = "archived"


def halt(
    tenant: Annotated[str, typer.Argument(help="Tenant whose runs must not start, those below it included.")],
    reason: Annotated[str, typer.Option(help="Why; shown by every run that does not start.")],
) -> None:
    """Throw the kill switch: no run of the tenant, or of one below it, starts until it is lifted."""
    _switch(
        "campaigns/halt", tenant, reason, f"No run of {tenant}, or of one below it, starts. Lift it with: bongsu lift"
    )


def lift(tenant: Annotated[str, typer.Argument(help="Tenant whose runs may start again.")]) -> None:
    """Take the kill switch back. Runs that did not start stay unsent; start them by hand if they should go."""
    _switch("campaigns/lift", tenant, "", f"Runs of {tenant} may start again.")


def state(
    slug: Annotated[str, typer.Argument(help="Campaign.")],
    to: Annotated[State, typer.Argument(help="Its new state.")],
    tenant: Annotated[str | None, typer.Option(help="Tenant, when several have a campaign of that name.")] = None,
) -> None:
    """Pause a campaign, make it live again, or archive it."""
    with clear_errors():
        from include.campaigns.manifest import compile_manifests
        from include.cli.store import owner_of, platform, tenant_store
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.queries import query
        from include.settings import settings

        with ensure(Level.databases, say):
            with tenant_store(owner_of(slug, tenant)) as (store, tenant_id):
                store.execute(query("campaigns/set_state"), {"slug": slug, "state": to.value, "tenant": tenant_id})
                store.commit()
            with platform() as connection:
                compile_manifests(connection, settings().manifests)
        answer(f"{slug} is {to.value}.")


def _switch(name: str, tenant: str, reason: str, done: str) -> None:
    with clear_errors():
        from include.cli.store import platform
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.queries import query
        from include.store import tenant_id

        with ensure(Level.databases, say), platform() as connection:
            connection.execute(query(name), {"tenant": tenant_id(connection, tenant), "reason": reason})
            connection.commit()
        answer(done)

"""``bongsu halt``, ``lift``, ``state`` and ``cancel``: what a person stops, and lets go again."""

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
    tenant: Annotated[str, typer.Argument(help="Tenant whose messages must not go out, those below it included.")],
    reason: Annotated[
        str, typer.Option(help="Why; shown by every run that does not start, and every chunk that waits.")
    ],
) -> None:
    """Throw the kill switch: no run of the tenant, or of one below it, starts until it is lifted, and no further chunk
    of those under way goes out.
    """
    _switch(
        "campaigns/halt",
        tenant,
        reason,
        f"Nothing of {tenant}, or of one below it, goes out. Lift it with: bongsu lift",
    )


def lift(tenant: Annotated[str, typer.Argument(help="Tenant whose runs may start again.")]) -> None:
    """Take the kill switch back. Runs under way go on; those that did not start stay unsent: start them by hand."""
    _switch("campaigns/lift", tenant, "", f"Runs of {tenant} may start again, and those under way go on.")


def state(
    slug: Annotated[str, typer.Argument(help="Campaign.")],
    to: Annotated[State, typer.Argument(help="Its new state.")],
    tenant: Annotated[str | None, typer.Option(help="Tenant, when several have a campaign of that name.")] = None,
) -> None:
    """Pause a campaign, make it live again, or archive it. Chunks of a run under way wait until it is live again."""
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


def cancel(
    run: Annotated[int, typer.Argument(help="Number of the run.")],
    reason: Annotated[str, typer.Option(help="Why; kept on the run and in the audit log.")],
    wait: Annotated[float, typer.Option(help="Minutes to wait for the results of what has left.")] = 1.0,
) -> None:
    """Cancel a run: what has not left is taken back, what has left is settled, and the books are closed.

    What the carrier's line has taken goes out. Exit code: 0 the books are closed; 2 there is nothing to cancel.
    """
    with clear_errors():
        from include.cli.store import owner_of_run, tenant_store
        from include.delivery.line_connection import connect_line
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.pipeline.cancel import cancel as take_back
        from include.privacy.ring import open_ring
        from include.settings import settings

        with ensure(Level.databases, say), tenant_store(owner_of_run(run)) as (store, _):
            ring = open_ring(store, settings().keyring)
            line = connect_line(settings().line_url)
            try:
                done = take_back(store, line, ring, run, reason, wait_seconds=wait * 60)
            finally:
                line.close()
        totals = done.totals
        answer(f"Run {run} is cancelled: {totals.cancelled:,} taken back, {totals.accepted:,} had left; books closed.")
        if done.waiting:
            answer(f"{done.waiting:,} have no result yet. Settle them later with the same command.")


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

"""``bongsu campaign`` and ``bongsu runs``: which campaigns there are, and how their last runs went."""

from typing import Annotated, Any

import typer

from include.cli.output import answer, clear_errors, say

app = typer.Typer(help="Campaigns that were applied.", no_args_is_help=True)


@app.command("list")
def list_campaigns() -> None:
    """List the campaigns of all tenants: state, version, schedule, last run."""
    with clear_errors():
        from include.cli.store import platform
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.queries import query

        with ensure(Level.databases, say), platform() as connection:
            rows = connection.execute(query("campaigns/list")).fetchall()
        for tenant, slug, title, state, version, schedule, zone, run, run_state in rows:
            last = "no run yet" if run is None else f"run {run} {run_state}"
            name = f"{tenant}/{slug}"
            answer(f"{name:<32} {state:<9} version {version:<4} {last:<20} {title} · {_in_words(schedule, zone)}")
        if not rows:
            answer("No campaign yet. Apply one with: bongsu apply FILE")


def _in_words(schedule: dict[str, Any], zone: str) -> str:
    """A schedule as it was stored; one that this version would refuse keeps no other campaign from the list."""
    from pydantic import ValidationError

    from include.campaigns.spec import Schedule
    from include.campaigns.words import when

    try:
        return when(Schedule.model_validate(schedule), zone)
    except ValidationError:
        return "Its schedule cannot be used; correct and apply it."


def runs(
    slug: Annotated[str, typer.Argument(help="The campaign's slug.")],
    tenant: Annotated[
        str | None, typer.Option(help="Whose campaign; needed when several tenants have one called so.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
) -> None:
    """List a campaign's last runs: number, start, state, recipients, and why one was refused or cancelled."""
    with clear_errors():
        from include.cli.store import owner_of, tenant_store
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.queries import query

        with ensure(Level.databases, say), tenant_store(owner_of(slug, tenant)) as (store, owner):
            values = {"slug": slug, "tenant": owner, "last": last}
            rows = store.execute(query("runs/last"), values).fetchall()
        for number, started, state, test, recipients, refusal in rows:
            count = "" if recipients is None else f"recipients {recipients:,}"
            why = " ".join((refusal or "").split())
            words = " · ".join(filter(None, ("test" if test else "", count, why)))
            answer(f"run {number:<7} {started}  {state:<11} {words}".rstrip())
        if not rows:
            answer(f"{slug}: no run yet. Start one with: bongsu run FILE")

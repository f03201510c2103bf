"""``bongsu report``, ``rejected`` and ``suppress``: what became of a campaign's people, and who must not be
written to.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from include.cli.output import DONE, FAILED, REFUSED, answer, check_writable, clear_errors, say

Tenant = Annotated[str | None, typer.Option(help="Whose campaign; needed when several tenants have one called so.")]


def report(
    slug: Annotated[str, typer.Argument(help="The campaign's slug.")],
    tenant: Tenant = None,
    run: Annotated[int | None, typer.Option(help="Number of the run; by default the last one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the report of a campaign's run. The exit code is that of the run: 0 books closed, 2 refused, else
    1.
    """
    with clear_errors():
        from include.cli.store import owner_of, tenant_store
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.reporting.report import load_report, render_report, run_of

        with ensure(Level.databases, say), tenant_store(owner_of(slug, tenant)) as (store, _):
            content = load_report(store, run_of(store, slug, run))
        if as_json:
            answer(json.dumps(content, indent=2, ensure_ascii=False, default=str))
        else:
            for line in render_report(content):
                answer(line)
        raise typer.Exit(exit_code(content))


def exit_code(content: dict[str, Any]) -> int:
    """What a report means for a script."""
    from include.reporting.report import is_empty

    if content["state"] == "refused" or is_empty(content):
        return REFUSED
    is_known = content["books_closed"] and not content["unknown"]
    return DONE if is_known and content["state"] == "finished" else FAILED


def rejected(
    slug: Annotated[str, typer.Argument(help="The campaign's slug.")],
    tenant: Tenant = None,
    run: Annotated[int | None, typer.Option(help="Number of the run; by default the last one.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file to write; by default SLUG-rejected.csv.")] = None,
) -> None:
    """Write the rejected rows of the customer file as CSV: row, field, reason, fix, masked value."""
    with clear_errors():
        from include.cli.store import owner_of, tenant_store
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.reporting.report import run_of, write_rejected

        path = (out or Path(f"{slug}-rejected.csv")).resolve()
        check_writable(path, "--out")
        with ensure(Level.databases, say), tenant_store(owner_of(slug, tenant)) as (store, _):
            count = write_rejected(store, run_of(store, slug, run), path)
        answer(f"{path}: {count:,} rows")


def suppress(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX with a header.", exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option(help="Who must not write to them.")],
    opted_out: Annotated[
        bool,
        typer.Option("--opted-out", help="The people refused it themselves; reported under that reason."),
    ] = False,
    column: Annotated[str | None, typer.Option(help="Header of the numbers' column; by default the first.")] = None,
) -> None:
    """Import phone numbers that a tenant must never write to. All of the file, or nothing of it."""
    with clear_errors():
        from include.audience.suppression import import_suppressions
        from include.cli.store import tenant_store
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.privacy.ring import open_ring
        from include.settings import settings

        with ensure(Level.databases, say), tenant_store(tenant) as (store, number):
            ring = open_ring(store, settings().keyring)
            reason: Literal["suppressed", "opted_out"] = "opted_out" if opted_out else "suppressed"
            count = import_suppressions(store, ring, number, file, reason, column)
            store.commit()
        answer(f"{count:,} numbers will not be written to by {tenant}.")

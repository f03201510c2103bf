"""``bongsu audit``: a run recounted from the carrier's side."""

import json
from pathlib import Path
from typing import Annotated

import typer

from include.cli.output import DONE, FAILED, answer, check_writable, clear_errors, say


def audit(
    run: Annotated[str, typer.Argument(help="Number of a run, or a campaign's slug for its last run.")],
    tenant: Annotated[
        str | None, typer.Option(help="Whose campaign; needed when several tenants have one called so.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the result as JSON.")] = None,
    every_row: Annotated[
        bool,
        typer.Option("--every-row", help="Also find rows whose chunk key was changed; reads the line's tables whole."),
    ] = False,
) -> None:
    """Recount a run in the line's own tables against its frozen audience, and compare with the certificate.

    Exit code: 0 everybody once, with their own message, and the certificate says the same; else 1.
    """
    with clear_errors():
        if json_file is not None:
            check_writable(json_file, "--json")
        from include.campaigns import runs
        from include.cli.store import owner_of, owner_of_run, tenant_store
        from include.delivery.line_connection import connect_line
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.privacy.ring import open_ring
        from include.reporting.audit import audit as recount
        from include.reporting.audit import render_audit
        from include.reporting.report import run_of
        from include.settings import settings

        number = int(run) if run.isascii() and run.isdigit() else None
        with ensure(Level.databases, say):
            owner = owner_of(run, tenant) if number is None else tenant or owner_of_run(number)
            with tenant_store(owner) as (store, _):
                audited = runs.load(store, run_of(store, run) if number is None else number)
                ring = open_ring(store, settings().keyring)
                line = connect_line(settings().line_url)
                try:
                    done = recount(store, line, ring, audited, every_row=every_row)
                finally:
                    line.close()
        for shown in render_audit(audited, done):
            answer(shown)
        if json_file is not None:
            content = {"run_id": audited.run_id, **done.document()}
            json_file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        raise typer.Exit(DONE if done.clean and done.agrees_with_certificate else FAILED)

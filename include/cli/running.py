"""``bongsu run``: one campaign from its definition to its report, in Airflow or in one process."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from include.cli.applying import Applied, apply_file
from include.cli.output import INTERRUPTED, check_writable, clear_errors, say


def run(
    file: Annotated[Path, typer.Argument(help="The campaign's definition (YAML).")],
    report: Annotated[Path | None, typer.Option(help="Also write the report as JSON.")] = None,
    in_process: Annotated[
        bool,
        typer.Option("--in-process", help="Run the DAG's tasks in one process, without Airflow's services."),
    ] = False,
    test_send: Annotated[
        bool,
        typer.Option("--test-send", help="To the people of audience.test_file only; schedules stay as they are."),
    ] = False,
    allow_overlap: Annotated[
        bool,
        typer.Option("--allow-overlap", help="Send although another run of the campaign is under way."),
    ] = False,
    timeout: Annotated[float, typer.Option(help="Give up watching after so many minutes; 0 waits to the end.")] = 0,
) -> None:
    """Apply a definition, run its campaign now, show how it goes, print the report.

    Exit code: 0 books closed; 2 the definition or the audience was refused and nothing was sent; 1 anything
    else.
    """
    with clear_errors():
        from include.campaigns.definition import load_definition
        from include.cli import run_flow
        from include.embedded import client
        from include.embedded.state import Level

        # A broken definition is refused before anything is started for it.
        load_definition(file)
        if report is not None:
            check_writable(report, "--report")
        home = client.this_home()
        with client.ensure(Level.lines if in_process else Level.all, say) as services:
            applied = apply_file(file)
            say(f"{applied.dag_id} version {applied.version}")
            limit = time.monotonic() + timeout * 60 if timeout else float("inf")
            wanted = run_flow.order(applied, test_send=test_send, allow_overlap=allow_overlap)
            try:
                if in_process:
                    log = home.log(f"in-process-{applied.tenant}-{applied.slug}-{os.getpid()}")
                    code = run_flow.run_here(wanted, services.environment, log, report, limit)
                else:
                    code = run_flow.run_in_airflow(wanted, report, limit)
            except KeyboardInterrupt:
                say("\nInterrupted. " + _what_now(applied, in_process, services.embedded and not home.keep.exists()))
                raise typer.Exit(INTERRUPTED) from None
        raise typer.Exit(code)


def _what_now(applied: Applied, in_process: bool, stops: bool) -> str:
    if in_process:
        return "The run has stopped. What was handed over stays handed over; see bongsu report " + applied.slug
    if stops:
        return (
            "The services stop with this command, and the run with them. Nothing is lost or sent twice: "
            "`bongsu up` starts them and the run goes on where it was."
        )
    return f"The run goes on in Airflow. See it there, or later with: bongsu report {applied.slug}"

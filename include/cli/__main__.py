"""``python -m include.cli``: puts the commands together."""

from importlib.metadata import version
from typing import Annotated

import typer

from include.cli import applying, auditing, backups, campaigns, controls, keys, reports, running, services, tenants
from include.cli.output import answer

app = typer.Typer(
    name="bongsu",
    help="Campaigns that are handed over exactly once, with every message accounted for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    applying.apply,
    applying.lint,
    applying.schema,
    running.run,
    campaigns.runs,
    reports.report,
    reports.rejected,
    reports.suppress,
    auditing.audit,
    backups.backup,
    backups.restore,
    controls.halt,
    controls.lift,
    controls.state,
    controls.cancel,
    services.env,
    services.up,
    services.down,
    services.status,
):
    app.command()(command)
app.add_typer(campaigns.app, name="campaign")
app.add_typer(tenants.app, name="tenant")
app.add_typer(keys.app, name="keys")


def _show_version(asked: bool) -> None:
    if asked:
        answer(f"bongsu {version('bongsu')}")
        raise typer.Exit


@app.callback()
def _of_all(
    shown: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


if __name__ == "__main__":
    app(prog_name="bongsu")

"""``python -m include.cli``: puts the commands together."""

import typer

from include.cli import applying, auditing, backups, controls, keys, reports, running, services, tenants

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
app.add_typer(tenants.app, name="tenant")
app.add_typer(keys.app, name="keys")

if __name__ == "__main__":
    app()

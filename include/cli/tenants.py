"""``bongsu tenant``: the tenants that campaigns belong to."""

from typing import Annotated

import typer

from include.cli.output import answer, clear_errors, say
from include.queries import query

app = typer.Typer(help="Tenants, the owners of campaigns.", no_args_is_help=True)


@app.command("add")
def add(
    slug: Annotated[str, typer.Argument(help="Short name: small letters, digits and hyphens.")],
    title: Annotated[str, typer.Option(help="Name for people; by default the short name.")] = "",
    parent: Annotated[str, typer.Option(help="Tenant above it, which sees all it has.")] = "",
    line_group: Annotated[str, typer.Option(help="Lines it may use, such as bulk-1; by default all bulk lines.")] = "",
    timezone: Annotated[str, typer.Option(help="Where its people live.")] = "Asia/Seoul",
) -> None:
    """Add a tenant. The lines of its group are the only ones its campaigns use."""
    with clear_errors():
        import zoneinfo

        import psycopg
        from pydantic_core import PydanticCustomError

        from include.campaigns.spec import TITLE_CHARACTERS
        from include.campaigns.wording import one_line
        from include.cli.store import platform
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.errors import BongsuError
        from include.store import tenant_id

        if timezone not in zoneinfo.available_timezones():
            raise BongsuError(f"--timezone {timezone}: there is no such time zone; write one like Asia/Seoul")
        try:
            title = one_line(title or slug)
        except PydanticCustomError as error:
            raise BongsuError(f"--title: {error}") from None
        if len(title) > TITLE_CHARACTERS:
            raise BongsuError(f"--title: at most {TITLE_CHARACTERS} characters, but these are {len(title):,}")
        with ensure(Level.databases, say), platform() as connection:
            if parent:
                tenant_id(connection, parent)
            values = {
                "slug": slug,
                "title": title,
                "parent": parent or None,
                "kind": "branch" if parent else "headquarters",
                "timezone": timezone,
                "line_group": line_group or None,
            }
            try:
                added = connection.execute(query("tenants/add"), values).fetchone()
            except psycopg.errors.ForeignKeyViolation as error:
                connection.rollback()
                groups = connection.execute("SELECT slug FROM line_groups WHERE kind = 'bulk' ORDER BY slug")
                known = [name for (name,) in groups]
                raise BongsuError(f"--line-group {line_group}: there are {', '.join(known)}") from error
            except psycopg.errors.CheckViolation as error:
                raise BongsuError(f"{slug!r}: use small letters, digits and hyphens, at most 63") from error
            connection.commit()
        answer(f"Tenant {slug} added." if added else f"Tenant {slug} is there already; nothing was changed.")


@app.command("list")
def list_tenants() -> None:
    """List the tenants as a tree."""
    with clear_errors():
        from include.cli.store import platform
        from include.embedded.client import ensure
        from include.embedded.state import Level

        with ensure(Level.databases, say), platform() as connection:
            for slug, title, kind, group, zone, depth, campaigns in connection.execute(query("tenants/list")):
                name = f"{'  ' * (depth - 1)}{slug}"
                answer(f"{name:<24} {title:<24} {kind:<13} {group:<15} {zone:<12} {campaigns} campaigns")

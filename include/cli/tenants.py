"""``bongsu tenant``: the tenants that campaigns belong to."""

from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.output import answer, clear_errors, say
from include.queries import query

if TYPE_CHECKING:
    import psycopg

app = typer.Typer(help="Tenants, the owners of campaigns.", no_args_is_help=True)


@app.command("add")
def add(
    slug: Annotated[str, typer.Argument(help="Short name: small letters, digits and hyphens.")],
    title: Annotated[str, typer.Option(help="Name for people; by default the short name.")] = "",
    parent: Annotated[str, typer.Option(help="Tenant above it, which sees all it has.")] = "",
    line_group: Annotated[str, typer.Option(help="Lines it may use, such as bulk-1; by default all bulk lines.")] = "",
    timezone: Annotated[str, typer.Option(help="Where its people live; by default Asia/Seoul.")] = "",
) -> None:
    """Add a tenant. The lines of its group are the only ones its campaigns use."""
    with clear_errors():
        import zoneinfo

        import psycopg
        from pydantic_core import PydanticCustomError

        from include.campaigns.spec import TITLE_CHARACTERS
        from include.campaigns.times import USUAL_ZONE
        from include.campaigns.wording import one_line
        from include.cli.store import platform
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.errors import BongsuError
        from include.store import tenant_id

        if timezone and timezone not in zoneinfo.available_timezones():
            raise BongsuError(f"--timezone {timezone}: there is no such time zone; write one like Asia/Seoul")
        try:
            title = one_line(title)
        except PydanticCustomError as error:
            raise BongsuError(f"--title: {error}") from None
        if len(title) > TITLE_CHARACTERS:
            raise BongsuError(f"--title: at most {TITLE_CHARACTERS} characters, but these are {len(title):,}")
        asked = {"title": title, "parent": parent, "line_group": line_group, "timezone": timezone}
        with ensure(Level.databases, say), platform() as connection:
            if parent:
                tenant_id(connection, parent)
            values = {
                "slug": slug,
                "title": title or slug,
                "parent": parent or None,
                "kind": "branch" if parent else "headquarters",
                "timezone": timezone or USUAL_ZONE,
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
            if not added:
                _compare(connection, slug, asked)
        answer(f"Tenant {slug} added." if added else f"Tenant {slug} is there already; nothing was changed.")


def _compare(platform: "psycopg.Connection", slug: str, asked: dict[str, str]) -> None:
    """Compare a tenant that is there with the values that were asked for; an empty one was not.

    :raises BongsuError: it differs; names each value as it is.
    """
    from psycopg.rows import dict_row

    from include.errors import BongsuError

    with platform.cursor(row_factory=dict_row) as cursor:
        there = cursor.execute(query("tenants/one"), [slug]).fetchone() or {}
    differs = [
        f"its {name.replace('_', ' ')} is {there[name] or 'not set'}, not {value}"
        for name, value in asked.items()
        if value and there[name] != value
    ]
    if differs:
        raise BongsuError(f"Tenant {slug} is there already, and nothing was changed: {'; '.join(differs)}")


@app.command("list")
def list_tenants() -> None:
    """List the tenants as a tree, each with its id first."""
    with clear_errors():
        from include.cli.store import platform
        from include.embedded.client import ensure
        from include.embedded.state import Level

        with ensure(Level.databases, say), platform() as connection:
            for number, slug, title, kind, group, zone, depth, campaigns in connection.execute(query("tenants/list")):
                name = f"{'  ' * (depth - 1)}{slug}"
                answer(f"{number:>5}  {name:<24} {title:<24} {kind:<13} {group:<15} {zone:<12} {campaigns} campaigns")

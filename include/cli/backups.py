"""``bongsu backup`` and ``restore``: the campaign store and the SMS line, as of one moment."""

from pathlib import Path
from typing import Annotated

import typer

from include.backup import Part
from include.cli.output import answer, clear_errors, say


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; it must not be there.")],
) -> None:
    """Back up the campaign store and the SMS line's tables. The key ring is not in it: keep that elsewhere."""
    with clear_errors():
        from include.backup.make import make_backup
        from include.cli.store import needed
        from include.embedded.client import ensure
        from include.embedded.state import Level

        with ensure(Level.databases, say):
            made = make_backup(folder.absolute(), needed("owner_url"), needed("line_tables_url"), say)
        rows = sum(made.store_rows.values()), sum(table.rows for table in made.line_tables)
        answer(f"{folder}: {rows[0]:,} rows of the store, {rows[1]:,} of the line, as of {made.made_at}.")
        answer("The line's part is in the clear. The store's is of no use without the key ring: keep that elsewhere.")


def restore(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder that `backup` has made.", exists=True, file_okay=False)
    ],
    only: Annotated[Part | None, typer.Option(help="Put back the one that was lost, when the other was not.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Even if store or line have rows; they are lost.")] = False,
) -> None:
    """Put a backup back, so that nothing is sent twice. With a store put back, all sending is stopped until
    `bongsu lift` lets each tenant go on.
    """
    with clear_errors():
        from include.backup.restore import restore_backup
        from include.cli.store import actor, needed
        from include.embedded import client
        from include.embedded.prepare import prepare_lines, prepare_store
        from include.embedded.state import Level
        from include.errors import BongsuError
        from include.settings import settings

        with client.ensure(Level.databases, say) as services:
            running = client.board_of(client.this_home()).get("services", {}) if services.embedded else {}
            if any(service.get("level", 0) > Level.databases for service in running.values()):
                raise BongsuError("Airflow or the carrier's agents are running here. Stop them first: bongsu down")
            urls = needed("owner_url"), needed("line_tables_url")
            restored = restore_backup(
                folder.absolute(), *urls, settings().keyring, only=only, replace=replace, actor=actor(), say=say
            )
            prepare_store()
            prepare_lines()
        answer(f"Restored as of {restored.made_at}. Chunks that may have gone out since are not handed over again.")
        if only is not Part.line:
            answer("No run starts until you let its tenant go on with: bongsu lift TENANT")
            answer("Import the refusals that were recorded since, before you do.")

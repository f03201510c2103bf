"""Makes a backup: both snapshots at one moment, dumped into a folder that appears when it is whole."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from include.backup.line import LineSnapshot, line_tables, no_hand_over
from include.backup.manifest import LINE_FILE, STORE_FILE, BackupError, Manifest, write_manifest
from include.backup.store import StoreSnapshot, open_chunks
from include.delivery.line_connection import connect_line
from include.privacy.ring import known_keys


def make_backup(folder: Path, owner_url: str, line_url: str, say: Callable[[str], None]) -> Manifest:
    """Write a backup to ``folder``, which must not be there; only this user can read it.

    Nothing has to stop for it. Hand-overs wait for the moment in which both snapshots are taken, so that every message
    that the store's snapshot calls handed over is in the line's, with its marker.

    :param owner_url: the store as the owner of its tables.
    :param line_url: the line as a login that may read its tables.
    :raises BackupError: nothing was backed up.
    """
    if folder.exists():
        raise BackupError(f"{folder} is there already. Name a new folder for each backup.")
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # private, and of its own: another backup may be written beside it
    draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        manifest = _fill(draft, owner_url, line_url, say)
        write_manifest(draft, manifest)
        for file in draft.iterdir():
            file.chmod(0o600)
        if folder.exists():
            raise BackupError(f"{folder} has been made meanwhile. Name a new folder for each backup.")
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return manifest


def _fill(draft: Path, owner_url: str, line_url: str, say: Callable[[str], None]) -> Manifest:
    with closing(connect_line(line_url)) as connection, closing(StoreSnapshot(owner_url)) as store:
        line = LineSnapshot(connection)
        with no_hand_over(connection, line_tables(connection)):
            store.take()
            line.take()
            made_at = datetime.now(UTC)
        # The line first: its snapshot keeps the server from tidying up, and agents change many rows.
        say("  SMS line")
        tables = line.dump(draft / LINE_FILE)
        say("  campaign store")
        rows = store.dump(draft / STORE_FILE)
        return Manifest(
            made_at=made_at.isoformat(timespec="seconds"),
            version=version("bongsu"),
            server=store.server,
            revision=store.revision(),
            store_rows=rows,
            line_tables=tables,
            keys=known_keys(store.connection),
            open_chunks=open_chunks(store.connection),
        )

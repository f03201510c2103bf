"""Puts a backup back, so that nothing that went out after it goes out again."""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
from MySQLdb.connections import Connection

from include.backup import Part
from include.backup import line as lines
from include.backup.manifest import LINE_FILE, STORE_FILE, BackupError, Manifest, OpenChunk, read_manifest
from include.backup.store import LoadedStore, open_chunks, replaced_store
from include.delivery.line_connection import connect_line
from include.privacy.cipher import KeyRing
from include.privacy.ring import ring_of_backup, tell
from include.queries import query
from include.store import connect
from include.store_migrations import newest

SKIPPED_RUNS = 100_000
"""More runs than begin between two backups."""


def restore_backup(
    folder: Path,
    owner_url: str,
    line_url: str,
    keyring: Path,
    *,
    only: Part | None = None,
    replace: bool,
    actor: str = "",
    say: Callable[[str], None],
) -> Manifest:
    """Put the store and the line back as ``folder`` has them, and close what may have gone out since.

    Both are loaded beside what is there and take its place at the end, in the same moment: a restore that fails or is
    killed before has changed nothing.

    :param owner_url: the store as the owner of its tables.
    :param line_url: the line as a login that may create tables.
    :param keyring: the key ring in use; the backup does not hold it.
    :param only: the one that was lost, when the other was not.
    :param actor: who restores, for the audit log.
    :param replace: also over a store or a line that has rows; they are lost.
    :raises BackupError: the backup, the databases or who uses them do not allow it; nothing was changed.
    :raises KeyRingError: the ring in use is not the one of the backup.
    """
    manifest = read_manifest(folder)
    ring = ring_of_backup(keyring, manifest.keys)
    if manifest.revision != (ours := newest()):
        raise BackupError(
            f"The backup was made by Bongsu {manifest.version} (schema {manifest.revision}), this one has {ours}. "
            "Restore it with the version that made it, then start this one, which brings the schema forward."
        )
    queues = [table.name for table in manifest.line_tables]
    with (
        closing(connect_line(line_url)) as line,
        # what is handed over amid a restore would be lost with the tables that it went to
        lines.no_hand_over(line, [*queues, *lines.line_tables(line)]),
    ):
        with connect(owner_url, application_name="bongsu restore") as owner:
            _check_target(owner, line, manifest, only, replace)
            settle = _settling(owner, manifest, ring, _given_run_number(owner, line), actor)
            # What the store will not know to be handed over: the one that is put back, or the one that has stayed.
            unsettled = open_chunks(owner) if only is Part.line else manifest.open_chunks
        try:
            if only is not Part.store:
                say("  SMS line")
                lines.load_line(line, folder / LINE_FILE, manifest.line_tables, unsettled)
            if only is Part.line:
                lines.swap_line(line, manifest.line_tables)
            else:
                say("  campaign store")
                with replaced_store(owner_url, folder / STORE_FILE, settle) as store:
                    if only is Part.store:
                        _replace_store(line, unsettled, store)
                    else:
                        _replace_both(line, manifest, store)
        except BaseException:
            lines.drop_tables(line, lines.LOADED)
            raise
        lines.drop_tables(line, lines.REPLACED)
    return manifest


def _replace_store(line: Connection, unsettled: Sequence[OpenChunk], store: LoadedStore) -> None:
    """The markers first: without them, the restored store's chunks would go out."""
    closed = lines.close_chunks(line, unsettled)
    try:
        store.commit()
    except BaseException:
        lines.reopen_chunks(line, closed)
        raise


def _replace_both(line: Connection, manifest: Manifest, store: LoadedStore) -> None:
    """The line first: without its markers, the restored store's chunks would go out."""
    lines.swap_line(line, manifest.line_tables)
    try:
        store.commit()
    except BaseException:
        lines.swap_back(line)
        raise


def _check_target(
    owner: psycopg.Connection, line: Connection, manifest: Manifest, only: Part | None, replace: bool
) -> None:
    if (server := owner.info.server_version // 10_000) < manifest.server:
        raise BackupError(f"The backup is of PostgreSQL {manifest.server}; this server is {server}, which is older.")
    row = owner.execute(query("backup/other_sessions")).fetchone()
    if row is not None and row[0]:
        raise BackupError(
            f"{row[0]} others are connected to the campaign store. Stop what uses it, Airflow's workers first; "
            "nothing is stopped for you."
        )
    if replace:
        return
    if only is not Part.line and _is_filled(owner):
        filled = "campaign store"
    elif only is not Part.store and lines.is_filled(line):
        filled = "SMS line"
    else:
        return
    raise BackupError(
        f"The {filled} is not empty. To lose what it holds, add --replace; to keep it, back it up first. When only one "
        "of store and line was lost, name it with --only."
    )


def _is_filled(owner: psycopg.Connection) -> bool:
    has_schema = owner.execute("SELECT to_regclass('public.runs') IS NOT NULL").fetchone() == (True,)
    return has_schema and owner.execute(query("backup/is_filled")).fetchone() == (True,)


def _given_run_number(owner: psycopg.Connection, line: Connection) -> int:
    """The highest run that the databases of today know: an earlier restore has brought it far above the backup's."""
    row = owner.execute(query("backup/given_run_number")).fetchone()
    return max(int(row[0]) if row and row[0] else 0, lines.given_run_number(line))


def _settling(owner: psycopg.Connection, manifest: Manifest, ring: KeyRing, given: int, actor: str) -> list[bytes]:
    """What follows the dump, in its transaction: its rows are counted, and nothing goes on by itself."""
    reason = f"Restored from the backup of {manifest.made_at}; refusals recorded since are missing, import them first."
    ended = (
        f"Ended by the restore of the backup of {manifest.made_at}: it may have been sent since. Nothing more is sent."
    )
    composed = psycopg.ClientCursor(owner).mogrify
    further = ring.check_values().keys() - {key.key_no for key in manifest.keys}
    texts = [
        composed(query("backup/check_rows"), {"rows": json.dumps(manifest.store_rows)}),
        composed(query("backup/end_runs"), {"made_at": manifest.made_at, "reason": ended}),
        composed(query("backup/skip_run_numbers"), {"given": given, "skipped": SKIPPED_RUNS}),
        composed("SELECT set_config('app.actor', %s, true)", [actor]),
        composed(query("backup/hold_tenants"), {"reason": reason}),
        # Keys of rotations after the backup: the ring has them, so the store may know them.
        *(composed(query("keys/tell"), tell(number, ring)) for number in sorted(further)),
        composed(query("backup/check_alone"), {}),
    ]
    return [text.encode() for text in texts]

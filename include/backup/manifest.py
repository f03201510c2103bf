"""A backup's folder: its files, and the manifest that says what they hold."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from include.errors import BongsuError
from include.privacy.ring import KeyCheck

FORMAT = 1
MANIFEST, STORE_FILE, LINE_FILE = "manifest.json", "store.dump", "line.jsonl.gz"


class BackupError(BongsuError):
    """A backup cannot be made or put back; says why, and that nothing was changed."""


@dataclass(frozen=True)
class OpenChunk:
    """A chunk whose hand-over the store does not know of."""

    run_id: int
    hop: int
    chunk_no: int
    table_name: str


@dataclass(frozen=True)
class LineTable:
    """A table of the line, its rows counted, and the statement that creates it."""

    name: str
    columns: list[str]
    create: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    :param made_at: the moment of both snapshots, ISO 8601 with its zone.
    :param version: Bongsu's version.
    :param server: major version of the store's PostgreSQL.
    :param revision: the store's last migration.
    :param store_rows: rows of each table of the store, partitions by their own names.
    :param line_tables: the line's tables in the order in which their rows are kept.
    :param keys: what the store knew of the key ring.
    :param open_chunks: chunks that may have been handed over after the backup.
    """

    made_at: str
    version: str
    server: int
    revision: str
    store_rows: dict[str, int]
    line_tables: list[LineTable]
    keys: list[KeyCheck]
    open_chunks: list[OpenChunk]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest over the files that lie in ``folder``."""
    body = asdict(manifest) | {
        "format": FORMAT,
        "keys": [[key.key_no, key.check_value.hex(), key.required] for key in manifest.keys],
        "files": {name: _digest(folder / name) for name in (STORE_FILE, LINE_FILE)},
    }
    text = json.dumps(body, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest and compare the files with it.

    :raises BackupError: it is no whole backup, or one of another version's form.
    """
    try:
        body = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if (made_by := body.pop("format")) != FORMAT:
            raise BackupError(f"{folder} is a backup of form {made_by}; this version reads form {FORMAT}.")
        files = body.pop("files")
        body["keys"] = [KeyCheck(number, bytes.fromhex(check), required) for number, check, required in body["keys"]]
        body["open_chunks"] = [OpenChunk(**chunk) for chunk in body["open_chunks"]]
        body["line_tables"] = [LineTable(**table) for table in body["line_tables"]]
        manifest = Manifest(**body)
    except FileNotFoundError as error:
        raise BackupError(f"{folder} is no backup: there is no {MANIFEST} in it.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{folder / MANIFEST} is damaged; take another backup.") from error
    for name in (STORE_FILE, LINE_FILE):
        path = folder / name
        if not path.is_file() or _digest(path) != files.get(name):
            raise BackupError(f"{path} is not the file that was backed up; take another copy or another backup.")
    return manifest


def _digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

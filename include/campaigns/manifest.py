"""The manifests: what the loaders in ``dags/`` build DAGs from, one file a loader, and nothing else.

A manifest is sorted, hashed JSON, replaced as a whole. Reading checks all of it and raises rather than
giving fewer campaigns: a DAG that is missing from one parse goes stale under its running tasks. A
campaign whose definition cannot be used keeps the entry it had, and is listed in
``definition_errors.json``; one of whose entry no DAG can be built is noted beside its manifest by the loader. One
more loader shows both in Airflow.

Importing this module imports no database driver and no pydantic: Airflow does so at every parse.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.errors import BongsuError

if TYPE_CHECKING:
    import psycopg

FORMAT = 1
ERRORS_FILE = "definition_errors.json"
UNBUILT = "unbuilt_"
STORE_SOURCE = "store: "


class BrokenManifest(BongsuError):
    """A manifest is missing or is not what was compiled. The DAGs of the loader stay as they were."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}. Applying any campaign writes all manifests again: ./bongsu apply FILE")


@dataclass(frozen=True)
class Entry:
    """All that is needed to build one campaign's DAG.

    :param schedule: ``{}``, ``{"at": moment}`` or ``{"cron": expression}``.
    :param timezone: time zone of the schedule.
    :param start_date: when the version came into force; nothing due before it is sent.
    :param lines: line numbers of real sends, in the order in which chunks go round.
    :param test_line: line of test sends.
    """

    dag_id: str
    campaign_id: int
    version: int
    tenant_id: int
    tenant: str
    slug: str
    title: str
    owner: str
    tags: list[str]
    schedule: dict[str, str]
    timezone: str
    start_date: str
    lines: list[int]
    test_line: int
    priority: int
    retries: int
    doc_md: str


@dataclass(frozen=True, order=True)
class DefinitionError:
    """A definition that cannot be used, and why; ``source`` is its file or its place in the store."""

    source: str
    message: str


def in_store(tenant: str, slug: str, version: int, message: str) -> DefinitionError:
    """What is wrong with a campaign that is in the store."""
    return DefinitionError(f"{STORE_SOURCE}{tenant}/{slug} version {version}", message)


def manifest_name(shard: int) -> str:
    """The file of one loader."""
    return f"campaigns_{shard:02d}.json"


def read_manifest(path: Path) -> list[Entry]:
    """The campaigns of one loader, sorted by DAG id.

    :raises BrokenManifest: the file is missing or differs from what was compiled.
    """
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BrokenManifest(path, "the manifest is missing") from None
    except (OSError, ValueError) as error:
        raise BrokenManifest(path, f"the manifest cannot be read ({error})") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BrokenManifest(path, f"the manifest is not of format {FORMAT}")
    entries = document.get("campaigns")
    if not isinstance(entries, list) or document.get("hash") != _hash(entries):
        raise BrokenManifest(path, "the manifest does not have the hash it was compiled with")
    expected = {field.name for field in fields(Entry)}
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != expected:
            raise BrokenManifest(path, "a campaign in the manifest has other fields than this version knows")
    return [Entry(**entry) for entry in entries]


def read_errors(folder: Path) -> list[DefinitionError]:
    """The definitions that could not be used at the last compile, and those of which the loaders built no DAG.

    :raises BrokenManifest: a list is missing or unreadable.
    """
    lists = [folder / ERRORS_FILE, *folder.glob(f"{UNBUILT}*.json")]
    return sorted(error for path in lists for error in _read_list(path))


def listed_files(folder: Path) -> list[DefinitionError]:
    """The definition files that were wrong when they were last applied."""
    try:
        return [error for error in _read_list(folder / ERRORS_FILE) if not error.source.startswith(STORE_SOURCE)]
    except BrokenManifest:
        return []


def note_unbuilt(manifest: Path, errors: Iterable[DefinitionError]) -> None:
    """Note of which entries of a manifest its loader could build no DAG."""
    path = manifest.with_name(f"{UNBUILT}{manifest.name}")
    if (found := sorted(errors)) or path.exists():
        _replace(path, [asdict(error) for error in found])


def _read_list(path: Path) -> list[DefinitionError]:
    try:
        return [DefinitionError(**item) for item in json.loads(path.read_bytes())]
    except FileNotFoundError:
        raise BrokenManifest(path, "the list of wrong definitions is missing") from None
    except (OSError, ValueError, TypeError) as error:
        raise BrokenManifest(path, f"the list of wrong definitions cannot be read ({error})") from None


def compile_manifests(
    platform: "psycopg.Connection",
    folder: Path,
    errors: Sequence[DefinitionError] | None = None,
    *,
    shards: Sequence[int] | None = None,
) -> list[int]:
    """Write the manifests of all loaders from the store.

    :param platform: a connection of the platform role, which sees every tenant.
    :param folder: where the manifests are.
    :param errors: definition files that do not validate; ``None`` leaves those listed before.
    :param shards: the loaders; by default those in ``dags/``.
    :returns: the shards whose manifest changed, sorted.
    """
    from include.campaigns.apply import loader_shards
    from include.campaigns.entries import read_entries

    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        known = list(loader_shards() if shards is None else shards)
        by_shard, wrong = read_entries(platform, _last_good(folder, known))
        listed = list(errors) if errors is not None else listed_files(folder)
        write_errors(folder, [*listed, *wrong])
        return [shard for shard in known if write_manifest(folder, shard, by_shard.get(shard, []))]


def write_manifest(folder: Path, shard: int, entries: Iterable[Entry]) -> bool:
    """Replace one manifest; returns whether it was another before."""
    documents = [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.dag_id)]
    document = {"format": FORMAT, "hash": _hash(documents), "campaigns": documents}
    return _replace(folder / manifest_name(shard), document)


def write_errors(folder: Path, errors: Iterable[DefinitionError]) -> bool:
    """Replace the list of wrong definitions; returns whether it was another before."""
    return _replace(folder / ERRORS_FILE, [asdict(error) for error in sorted(set(errors))])


def _last_good(folder: Path, shards: Iterable[int]) -> dict[str, Entry]:
    """The entries of the last compile by DAG id; a manifest that is missing or broken has none."""
    found: dict[str, Entry] = {}
    for shard in shards:
        try:
            entries = read_manifest(folder / manifest_name(shard))
        except BrokenManifest:
            continue
        found |= {entry.dag_id: entry for entry in entries}
    return found


def _hash(documents: list[Any]) -> str:
    return hashlib.sha256(_json(documents, None).encode()).hexdigest()


def _json(value: Any, indent: int | None) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=indent)


def _replace(path: Path, document: Any) -> bool:
    content = (_json(document, 1) + "\n").encode()
    if path.exists() and path.read_bytes() == content:
        return False
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One compile at a time, so that the one that began to read last is also the one that writes last."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""A restore that is refused, fails or is killed changes nothing. On servers of its own."""

import json
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from MySQLdb.connections import Connection

from include.backup import Part
from include.backup import line as lines
from include.backup.line import line_tables
from include.backup.manifest import LINE_FILE, MANIFEST, STORE_FILE, BackupError
from include.delivery.dispatch import Dispatched
from include.delivery.line_connection import connect_line
from include.errors import Unavailable
from include.privacy.cipher import KeyRing, KeyRingError
from include.privacy.ring import open_ring, rotate
from tests.store.backup.support import (
    a_campaign,
    back_up,
    chunks_of,
    hand_over_only,
    leave,
    line_rows,
    opened,
    reopened,
    restore,
    store_rows,
)
from tests.support import Campaign, Databases

pytestmark = [pytest.mark.services, pytest.mark.slow]

WAITING = "SELECT 1 FROM information_schema.processlist WHERE state = 'User lock'"


def test_a_restore_with_another_ring_is_refused(servers: Databases, tmp_path: Path) -> None:
    back_up(servers, tmp_path / "backup")
    before = line_rows(servers), store_rows(servers)
    KeyRing.create(tmp_path / "other.json")
    with pytest.raises(
        KeyRingError, match=r"not the one of this backup: its index key is another\. Nothing was restored"
    ):
        restore(servers, tmp_path / "backup", tmp_path / "other.json")
    with pytest.raises(KeyRingError, match="There is no key ring"):
        restore(servers, tmp_path / "backup", tmp_path / "none.json")
    old = shutil.copy(servers.keyring, tmp_path / "old.json")
    with servers.owner() as owner:
        number = rotate(owner, servers.keyring)
    back_up(servers, tmp_path / "later")
    with pytest.raises(KeyRingError, match=f"it lacks key {number}"):
        restore(servers, tmp_path / "later", Path(old))
    assert line_rows(servers) == before[0]
    # the ring of today opens what an earlier one sealed, and the restored store knows it
    restore(servers, tmp_path / "backup")
    with servers.owner() as owner:
        assert open_ring(owner, servers.keyring).current == number


def test_a_filled_store_is_replaced_only_when_asked_and_only_when_nobody_uses_it(
    servers: Databases, tmp_path: Path
) -> None:
    campaign = a_campaign(servers, tmp_path, 3)
    back_up(servers, tmp_path / "backup")
    with pytest.raises(BackupError, match="others are connected to the campaign store"):
        restore(servers, tmp_path / "backup")
    leave(campaign)
    with pytest.raises(BackupError, match="is not empty"):
        restore(servers, tmp_path / "backup", replace=False)
    with pytest.raises(BackupError, match="is there already"):
        back_up(servers, tmp_path / "backup")
    restore(servers, tmp_path / "backup")


def test_a_damaged_backup_is_refused(servers: Databases, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    back_up(servers, folder)
    manifest = (folder / MANIFEST).read_text(encoding="utf-8")
    for name in (STORE_FILE, LINE_FILE):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(BackupError, match=f"{name} is not the file that was backed up"):
            restore(servers, folder)
        (folder / name).write_bytes(content)
    for text, problem in (
        (manifest.replace('"format": 1', '"format": 2'), "of form 2"),
        (manifest.replace("0008_key_checks", "0099_later"), "schema 0099_later"),
        (manifest[:-20], "is damaged"),
        ("[]", "is damaged"),
    ):
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        with pytest.raises(BackupError, match=problem):
            restore(servers, folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(BackupError, match="is no backup"):
        restore(servers, folder)


@pytest.mark.parametrize("part", ["store_rows", "line_tables"])
def test_a_restore_that_loses_rows_changes_nothing(servers: Databases, tmp_path: Path, part: str) -> None:
    campaign = a_campaign(servers, tmp_path, 5)
    campaign.send()
    leave(campaign)
    back_up(servers, tmp_path / "backup")
    path = tmp_path / "backup" / MANIFEST
    body = json.loads(path.read_text(encoding="utf-8"))
    if part == "store_rows":
        body[part][next(name for name in body[part] if name.startswith("public.recipients"))] += 1
    else:
        body[part][-1]["rows"] += 1
    path.write_text(json.dumps(body), encoding="utf-8")
    before = line_rows(servers), store_rows(servers)
    with pytest.raises(BackupError, match=r"got \d+ of its \d+ rows.*as it was"):
        restore(servers, tmp_path / "backup")
    assert (line_rows(servers), store_rows(servers)) == before


def test_a_store_that_is_lost_at_the_last_moment_leaves_the_line_its_tables(
    servers: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = a_campaign(servers, tmp_path, 5)
    campaign.send()
    leave(campaign)
    back_up(servers, tmp_path / "backup")
    before = line_rows(servers), store_rows(servers)
    swap = lines.swap_line

    def swap_and_lose_the_store(*arguments: Any) -> None:
        swap(*arguments)
        with psycopg.connect(servers.admin_url) as server:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'psql'")

    monkeypatch.setattr(lines, "swap_line", swap_and_lose_the_store)
    with pytest.raises(BackupError, match="The store is as it was"):
        restore(servers, tmp_path / "backup")
    assert (line_rows(servers), store_rows(servers)) == before
    with connect_line(servers.line_tables_url) as line:
        assert [*line_tables(line, lines.LOADED), *line_tables(line, lines.REPLACED)] == []


def test_a_restore_that_is_killed_between_line_and_store_lets_nothing_go_out_again(
    servers: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(servers, tmp_path / "backup")
    campaign = a_campaign(servers, tmp_path, 5)
    campaign.import_()
    campaign.freeze()
    (chunk,) = chunks_of(campaign)
    hand_over_only(campaign, chunk)
    leave(campaign)

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr("include.backup.restore.LoadedStore.commit", killed)
    monkeypatch.setattr(lines, "swap_back", lambda line: None)
    with pytest.raises(Killed):
        restore(servers, tmp_path / "backup")
    monkeypatch.undo()
    campaign = reopened(servers, campaign)
    assert campaign.line_rows() == [], "the older line is in place"
    assert campaign.dispatch(chunk).accepted == 5
    assert campaign.line_rows() == [], "what its marker says to be handed over is believed"
    leave(campaign)


def test_a_store_that_is_not_replaced_leaves_the_line_no_marker(
    servers: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, chunk = backed_up_before_its_hand_over(servers, tmp_path)
    before = line_rows(servers)

    def lost(*_: Any) -> None:
        raise BackupError("The store is as it was.")

    monkeypatch.setattr("include.backup.restore.LoadedStore.commit", lost)
    with pytest.raises(BackupError):
        restore(servers, tmp_path / "backup", only=Part.store)
    assert line_rows(servers) == before
    campaign = reopened(servers, campaign)
    assert campaign.dispatch(chunk) == Dispatched(5, 0, already=False)
    leave(campaign)


def test_what_is_handed_over_amid_a_restore_waits_for_its_end(
    servers: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that went to the table which the restore replaces would be lost, and its marker with it."""
    campaign, chunk = backed_up_before_its_hand_over(servers, tmp_path)
    load, tries, outcomes = lines.load_line, ThreadPoolExecutor(1), list[Future[Dispatched]]()

    def load_meanwhile(line: Connection, *arguments: Any) -> None:
        outcomes.append(tries.submit(reopened(servers, campaign).dispatch, chunk))
        with connect_line(servers.line_url) as watch, watch.cursor() as cursor:
            while not cursor.execute(WAITING):
                assert not outcomes[0].done(), "it was handed over before the end"
        load(line, *arguments)

    monkeypatch.setattr(lines, "load_line", load_meanwhile)
    restore(servers, tmp_path / "backup", only=Part.line)
    with pytest.raises(Unavailable, match="has got a marker meanwhile"):
        outcomes[0].result(300)
    again = reopened(servers, campaign)
    assert again.dispatch(chunk) == Dispatched(0, 0, already=True, unknown=5)
    assert again.line_rows() == []
    leave(*opened)


def test_who_comes_to_the_store_amid_a_restore_keeps_it_from_being_replaced(
    servers: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, _ = backed_up_before_its_hand_over(servers, tmp_path)
    before = line_rows(servers), store_rows(servers)
    load = lines.load_line

    def load_meanwhile(*arguments: Any) -> None:
        load(*arguments)
        reopened(servers, campaign)

    monkeypatch.setattr(lines, "load_line", load_meanwhile)
    with pytest.raises(BackupError, match=r"1 others have connected .* meanwhile\. The store is as it was"):
        restore(servers, tmp_path / "backup")
    leave(*opened)
    assert (line_rows(servers), store_rows(servers)) == before


def backed_up_before_its_hand_over(servers: Databases, folder: Path) -> tuple[Campaign, int]:
    """A frozen campaign with its one chunk, as the backup in ``folder`` has it."""
    campaign = a_campaign(servers, folder, 5)
    campaign.import_()
    campaign.freeze()
    (chunk,) = chunks_of(campaign)
    leave(campaign)
    back_up(servers, folder / "backup")
    return campaign, chunk


def test_of_two_restores_at_once_one_is_refused(servers: Databases, tmp_path: Path) -> None:
    back_up(servers, tmp_path / "backup")
    before = line_rows(servers)
    with connect_line(servers.line_tables_url) as other, lines.no_hand_over(other, []):
        for one in (lambda: restore(servers, tmp_path / "backup"), lambda: back_up(servers, tmp_path / "again")):
            with pytest.raises(BackupError, match="Another backup or restore of this line is at work"):
                one()
    assert line_rows(servers) == before
    restore(servers, tmp_path / "backup")

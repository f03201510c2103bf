"""A backup holds the messages, and putting it back never sends anything twice. On servers of its own."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.audience.suppression import import_suppressions
from include.backup import Part
from include.backup import line as lines
from include.backup.line import SKIPPED_SEQNOS, line_tables
from include.backup.make import make_backup
from include.backup.manifest import LINE_FILE, MANIFEST, STORE_FILE, BackupError, Manifest, read_manifest
from include.backup.restore import SKIPPED_RUNS, restore_backup
from include.backup.store import count_rows
from include.campaigns import runs
from include.crashpoints import CrashPoint
from include.delivery.dispatch import Dispatched
from include.delivery.line_connection import connect_for_hand_over, connect_line
from include.embedded.state import Home
from include.errors import RunOver
from include.pipeline.cancel import cancel
from include.privacy.cipher import KeyRing, KeyRingError
from include.privacy.ring import open_ring, rotate
from include.reporting.audit import audit
from include.reporting.books import close
from include.settings import ROOT
from tests.conftest import own_databases, own_home
from tests.support import Campaign, Databases, finish_rows, make_campaign, numbers, own_files, write_csv

pytestmark = [pytest.mark.services, pytest.mark.slow]

ADDED = {"public.audit_log", "public.kill_switches"}
"""What a restore adds to: the stop of all sending, and its row in the log."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Servers whose store and line the tests of this module replace as a whole, one after the other."""
    with own_home("backup") as home, databases_of(home, tmp_path_factory.getbasetemp()) as found:
        yield found


def databases_of(home: Home, folder: Path) -> AbstractContextManager[Databases]:
    """The databases of ``home``, for campaigns whose files are in ``folder``."""
    return own_databases(home, own_files(home.path / "customer-files", folder))


opened: list[Campaign] = []


@pytest.fixture(autouse=True)
def nobody_stays_connected(acme_folder: Path) -> Iterator[None]:
    """A test that fails leaves no connection that would refuse the next one's restore."""
    yield
    leave(*opened)


def leave(*campaigns: Campaign) -> None:
    """Close their connections: a restore wants the store for itself."""
    for campaign in campaigns:
        opened[:] = [other for other in opened if other is not campaign]
        campaign.close()


def a_campaign(databases: Databases, folder: Path, people: int, **options: Any) -> Campaign:
    rows = [(number, "김\\철수 \"'") for number in numbers(people)]
    file = write_csv(folder / f"{people}.csv", ("phone", "name"), rows)
    opened.append(make_campaign(databases, file, **options))
    return opened[-1]


def quietly(line: str) -> None:
    """Progress that nobody reads."""


def back_up(databases: Databases, folder: Path) -> Manifest:
    return make_backup(folder, databases.owner_url, databases.line_url, quietly)


def restore(
    databases: Databases,
    folder: Path,
    keyring: Path | None = None,
    *,
    only: Part | None = None,
    replace: bool = True,
) -> None:
    urls = databases.owner_url, databases.line_tables_url
    restore_backup(folder, *urls, keyring or databases.keyring, only=only, replace=replace, say=quietly)


def line_rows(databases: Databases) -> dict[str, list[Any]]:
    """Everything in the line's tables."""
    found = {}
    with connect_line(databases.line_url) as line, line.cursor() as cursor:
        for table in line_tables(line):
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
            found[table] = list(cursor.fetchall())
    return found


def store_rows(databases: Databases) -> dict[str, int]:
    with databases.owner() as owner:
        return count_rows(owner)


def reopened(databases: Databases, campaign: Campaign) -> Campaign:
    """The campaign with new connections, to the servers as they are now."""
    again = Campaign(**{**vars(campaign), "databases": databases})
    again.store, again.ring = databases.store(campaign.tenant_id), databases.ring
    again.line, again.carrier = connect_for_hand_over(databases.line_url), connect_line(databases.line_tables_url)
    opened.append(again)
    again.again()
    return again


def bongsu(databases: Databases, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "include.cli", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=dict(databases.environment), capture_output=True, text=True)


def test_a_campaign_survives_the_loss_of_both_servers(tmp_path: Path) -> None:
    """The drill of docs/operations/restore.md: backed up, destroyed, put back, audited, and gone on with."""
    folder = tmp_path / "backup"
    with own_home("drill") as home:
        with databases_of(home, tmp_path) as databases:
            campaign = a_campaign(databases, tmp_path, 120, chunk_size=50)
            refused = write_csv(tmp_path / "out.csv", ("phone",), [(number,) for number in numbers(20)])
            import_suppressions(campaign.store, campaign.ring, campaign.tenant_id, refused, "opted_out")
            campaign.store.commit()
            campaign.send()
            finish_rows(campaign, 6, where="MOD(seqno, 2) = 0", move_to="203101")
            finish_rows(campaign, 8)
            campaign.collect()
            close(campaign.store, campaign.run)
            with connect_line(databases.line_tables_url) as line, line.cursor() as cursor:
                cursor.execute("UPDATE SMSQ_SEND_1 SET file_name1 = %s LIMIT 3", ("\t\n\r\0\x01\x1f\\N😀\u2028",))
                line.commit()
            leave(campaign)
            stored, on_line = store_rows(databases), line_rows(databases)
            assert stored["public.messages_y" + f"{campaign.run.run_at:%Ym%m}"] == 100
            done = bongsu(databases, "backup", folder)
            assert done.returncode == 0, done.stderr
        for server in ("postgres", "mariadb"):
            shutil.rmtree((home.path / server).resolve())
        with databases_of(home, tmp_path) as databases:
            assert sum(map(len, line_rows(databases).values())) == 0
            done = bongsu(databases, "restore", folder)
            assert done.returncode == 0, done.stderr
            again = store_rows(databases)
            assert {name: again[name] - rows for name, rows in stored.items() if again[name] != rows} == dict.fromkeys(
                ADDED, 2
            )
            assert line_rows(databases) == on_line
            campaign = reopened(databases, campaign)
            recounted = audit(campaign.store, campaign.line, campaign.ring, campaign.run)
            assert (recounted.clean, recounted.agrees_with_certificate, recounted.found) == (True, True, 100)
            assert bongsu(databases, "audit", str(campaign.run.run_id)).returncode == 0
            go_on(databases, campaign, max(row[0] for name in on_line if "SEND" in name for row in on_line[name]))
            leave(campaign)
    assert [path.name for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077] == []


def go_on(databases: Databases, campaign: Campaign, last_seqno: int) -> None:
    """Nothing starts before somebody lets it; then a further run works, above all numbers that were ever given."""
    before = campaign.run.run_id
    held = campaign.value("SELECT bongsu.kill_switch(%s)", campaign.tenant_id)
    assert "refusals recorded since are missing" in held
    stopped_by = "SELECT actor FROM audit_log WHERE action = 'kill switch thrown' AND tenant_id = %s"
    assert campaign.value(stopped_by, campaign.tenant_id).startswith("command line, ")
    slug = campaign.value("SELECT slug FROM tenants WHERE tenant_id = %s", campaign.tenant_id)
    assert bongsu(databases, "lift", slug).returncode == 0
    run = campaign.begin()
    assert run.run_id > before + SKIPPED_RUNS
    campaign.send()
    assert sorted(campaign.line_rows()) == numbers(120)[20:]
    assert min(campaign.line_rows("seqno")) > SKIPPED_SEQNOS
    assert last_seqno < SKIPPED_SEQNOS
    finish_rows(campaign, 6)
    campaign.collect()
    close(campaign.store, campaign.run)


def test_what_may_have_gone_out_since_the_backup_is_not_sent_again(servers: Databases, tmp_path: Path) -> None:
    imported, under_way = a_campaign(servers, tmp_path, 30), a_campaign(servers, tmp_path, 200, chunk_size=50)
    unplanned = a_campaign(servers, tmp_path, 31)
    unplanned.import_()
    unplanned.freeze()
    imported.import_()
    under_way.import_()
    under_way.freeze()
    assert runs.load(under_way.store, under_way.run.run_id).frozen_at is not None
    first, second, third, fourth = chunks_of(under_way)
    under_way.dispatch(first)
    finish_rows(under_way, 6, where="MOD(seqno, 2) = 0")
    claim_only(under_way, second)
    hand_over_only(under_way, third)
    back_up(servers, tmp_path / "backup")
    # what the world has seen by the time that the servers are lost
    under_way.dispatch(second)
    under_way.dispatch(fourth)
    imported.freeze()
    imported.send_frozen()
    unplanned.send_frozen()
    leave(imported, unplanned, under_way)
    restore(servers, tmp_path / "backup")
    under_way = reopened(servers, under_way)
    waiting = under_way.line_rows("rsv1, status_code")
    assert set(waiting) == {("3", 100), ("5", 6)}, "no agent takes a row that it may have taken before"
    before = line_rows(servers)

    lost = Dispatched(0, 0, already=True, unknown=50)
    assert [under_way.dispatch(second), under_way.dispatch(fourth)] == [lost, lost]
    assert under_way.dispatch(third).accepted == 50, "a hand-over that the backup holds is settled by its marker"
    assert under_way.dispatch(first).already
    assert line_rows(servers) == before
    assert under_way.dispatch(second) == lost
    done = cancel(under_way.store, under_way.line, under_way.ring, under_way.run.run_id, "sent before the loss")
    totals = done.totals
    assert (totals.recipients, totals.accepted, totals.unknown, totals.cancelled) == (200, 100, 100, 0)
    assert (
        under_way.value("SELECT count(*) FROM chunks WHERE run_id = %s AND state = 'planned'", under_way.run.run_id)
        == 0
    )

    unplanned = reopened(servers, unplanned)
    with pytest.raises(RunOver, match="Ended by the restore"):
        runs.load_going(unplanned.store, unplanned.run.run_id)
    done = cancel(unplanned.store, unplanned.line, unplanned.ring, unplanned.run.run_id, "sent before the loss")
    assert (done.totals.recipients, done.totals.accepted, done.totals.unknown) == (31, 0, 31)

    imported = reopened(servers, imported)
    assert imported.freeze().recipients == 0
    imported.send_frozen()
    assert without_markers(line_rows(servers)) == without_markers(before)
    totals = close(imported.store, imported.run)
    assert (totals.rows_read, totals.recipients, totals.accepted) == (0, 0, 0)
    leave(imported, unplanned, under_way)


def test_a_line_that_was_lost_alone_sends_nothing_that_the_store_does_not_know(
    servers: Databases, tmp_path: Path
) -> None:
    campaign = a_campaign(servers, tmp_path, 150, chunk_size=50)
    campaign.import_()
    campaign.freeze()
    first, second, third = chunks_of(campaign)
    campaign.dispatch(first)
    back_up(servers, tmp_path / "backup")
    campaign.dispatch(second)
    hand_over_only(campaign, third)
    leave(campaign)
    kept = store_rows(servers)
    restore(servers, tmp_path / "backup", only=Part.line)
    assert store_rows(servers) == kept
    campaign = reopened(servers, campaign)
    assert campaign.dispatch(second).already
    assert campaign.dispatch(third).unknown == 50
    assert len(campaign.line_rows()) == 50
    assert campaign.value("SELECT bongsu.kill_switch(%s)", campaign.tenant_id) is None


def test_a_store_that_was_lost_alone_believes_the_markers_of_the_line(servers: Databases, tmp_path: Path) -> None:
    campaign = a_campaign(servers, tmp_path, 100, chunk_size=50)
    campaign.import_()
    campaign.freeze()
    first, second = chunks_of(campaign)
    back_up(servers, tmp_path / "backup")
    campaign.dispatch(first)
    leave(campaign)
    on_line = line_rows(servers)
    restore(servers, tmp_path / "backup", only=Part.store)
    campaign = reopened(servers, campaign)
    assert campaign.dispatch(first) == Dispatched(50, 0, already=True), "its rows are on the line"
    assert campaign.dispatch(second).unknown == 50
    assert campaign.line_rows("rsv1") == ["1"] * 50, "what waits on the line goes out"
    markers = on_line.pop("BONGSU_HANDOVER")
    again = line_rows(servers)
    assert set(again.pop("BONGSU_HANDOVER")) > set(markers)
    assert again == on_line


def without_markers(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {table: found for table, found in rows.items() if table != lines.MARKERS}


def chunks_of(campaign: Campaign) -> list[int]:
    from include.delivery.chunks import plan_chunks

    return plan_chunks(campaign.store, campaign.again())


class Died(BaseException):
    """A task that ended at a crash point."""


def die_at(campaign: Campaign, chunk: int, point: CrashPoint) -> None:
    """Dispatch a chunk up to a crash point."""

    def died(reached: CrashPoint) -> None:
        if reached is point:
            raise Died

    with pytest.MonkeyPatch.context() as patch:
        for module in ("include.delivery.dispatch", "include.delivery.line"):
            patch.setattr(f"{module}.reach", died)
        with pytest.raises(Died):
            campaign.dispatch(chunk)
    campaign.store.rollback()


def claim_only(campaign: Campaign, chunk: int) -> None:
    die_at(campaign, chunk, CrashPoint.after_claim)


def hand_over_only(campaign: Campaign, chunk: int) -> None:
    die_at(campaign, chunk, CrashPoint.after_line_commit)


def test_a_backup_waits_for_the_hand_over_under_way_and_holds_it(servers: Databases, tmp_path: Path) -> None:
    made: list[Manifest] = []
    with (
        connect_line(servers.line_tables_url) as line,
        connect_line(servers.line_url) as watch,
        line.cursor() as cursor,
        watch.cursor() as watching,
    ):
        cursor.execute("SELECT GET_LOCK('SMSQ_SEND_2', 10)")
        cursor.execute(
            "INSERT INTO BONGSU_HANDOVER (run_id, hop, chunk_no, table_name, row_count) "
            "VALUES (-7, 0, 1, 'SMSQ_SEND_2', 0)"
        )
        backup = threading.Thread(target=lambda: made.append(back_up(servers, tmp_path / "backup")))
        backup.start()
        while backup.is_alive():
            watching.execute("SELECT 1 FROM information_schema.processlist WHERE state = 'User lock'")
            if watching.fetchone():
                break
        assert made == [], "the snapshots are taken when nobody is handing over"
        line.commit()
        cursor.execute("DO RELEASE_LOCK('SMSQ_SEND_2')")
        backup.join()
        cursor.execute("DELETE FROM BONGSU_HANDOVER WHERE run_id = -7")
        line.commit()
    restore(servers, tmp_path / "backup")
    assert [row[:3] for row in line_rows(servers)["BONGSU_HANDOVER"] if row[0] == -7] == [(-7, 0, 1)]


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


def test_rows_that_their_owner_does_not_see_stop_a_backup(servers: Databases, tmp_path: Path) -> None:
    campaign = a_campaign(servers, tmp_path, 5)
    campaign.send()
    partition = f"messages_y{campaign.run.run_at:%Ym%m}"
    leave(campaign)
    with servers.owner() as owner:
        owner.execute(f"DROP POLICY owner_all ON {partition}".encode())
    try:
        with pytest.raises(BackupError, match=r"public\.messages has .* lacks the policy owner_all"):
            back_up(servers, tmp_path / "backup")
        assert list(tmp_path.glob("backup*")) == []
    finally:
        with servers.owner() as owner:
            owner.execute(
                f"CREATE POLICY owner_all ON {partition} TO bongsu_owner USING (true) WITH CHECK (true)".encode()
            )


def test_the_manifest_names_no_person(servers: Databases, tmp_path: Path) -> None:
    campaign = a_campaign(servers, tmp_path, 5)
    campaign.send()
    leave(campaign)
    made = back_up(servers, tmp_path / "backup")
    assert read_manifest(tmp_path / "backup") == made
    text = (tmp_path / "backup" / MANIFEST).read_text(encoding="utf-8")
    assert not any(number[-8:] in text for number in numbers(5))
    assert sum(table.rows for table in made.line_tables) >= 5

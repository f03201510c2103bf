"""A backup holds the messages, and no person's name outside of them. On servers of its own."""

import threading
from pathlib import Path

import pytest
from MySQLdb.connections import Connection

from include.backup import line as lines
from include.backup.manifest import MANIFEST, BackupError, LineTable, Manifest, read_manifest
from include.delivery.line_connection import connect_line
from tests.store.backup.support import a_campaign, back_up, leave, line_rows, restore
from tests.support import Databases, finish_rows, numbers

pytestmark = [pytest.mark.services, pytest.mark.slow]


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


def test_a_log_that_is_made_amid_a_backup_is_in_it(
    servers: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that meets a new month moves rows to its log between the list of the tables and the snapshot."""
    campaign = a_campaign(servers, tmp_path, 5)
    campaign.send()
    looked = lines.line_tables
    listed: list[list[str]] = []

    def agent_works(line: Connection, prefix: str = "") -> list[str]:
        found = looked(line, prefix)
        listed.append(found)
        if len(listed) == 1:
            assert finish_rows(campaign, 6, move_to="209901") == 5
        return found

    monkeypatch.setattr(lines, "line_tables", agent_works)
    made = back_up(servers, tmp_path / "backup")
    monkeypatch.undo()
    leave(campaign)
    rows = {table.name: table.rows for table in made.line_tables}
    assert rows["SMSQ_SEND_1_209901"] == 5
    with connect_line(servers.line_tables_url) as line, line.cursor() as cursor:
        cursor.execute("DROP TABLE SMSQ_SEND_1_209901, SMSQ_SEND_2_209901, SMSQ_SEND_3_209901")


def test_of_two_backups_into_one_folder_one_is_whole_and_the_other_fails(
    servers: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backup.partial").mkdir()
    (tmp_path / "backup.partial" / "mine").touch()
    dump = lines.LineSnapshot.dump
    other: list[Manifest] = []

    def dump_beside_another(self: lines.LineSnapshot, file: Path) -> list[LineTable]:
        if not other:
            monkeypatch.undo()
            other.append(back_up(servers, tmp_path / "backup"))
        return dump(self, file)

    monkeypatch.setattr(lines.LineSnapshot, "dump", dump_beside_another)
    with pytest.raises(BackupError, match="has been made meanwhile"):
        back_up(servers, tmp_path / "backup")
    assert read_manifest(tmp_path / "backup") == other[0]
    restore(servers, tmp_path / "backup")
    assert sorted(path.name for path in tmp_path.glob("backup*")) == ["backup", "backup.partial"]
    assert (tmp_path / "backup.partial" / "mine").exists(), "what is not ours stays"

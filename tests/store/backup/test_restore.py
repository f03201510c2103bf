"""Putting a backup back never sends anything twice. On servers of its own."""

import shutil
from pathlib import Path

import pytest

from include.audience.suppression import import_suppressions
from include.backup import Part
from include.backup.line import SKIPPED_SEQNOS
from include.backup.restore import SKIPPED_RUNS
from include.campaigns import runs
from include.crashpoints import CrashPoint
from include.delivery.dispatch import Dispatched
from include.delivery.line_connection import connect_line
from include.errors import RunOver
from include.pipeline.cancel import cancel
from include.reporting.audit import audit
from include.reporting.books import close
from include.store_migrations import upgrade
from tests.conftest import own_home
from tests.store.backup.support import (
    a_campaign,
    back_up,
    bongsu,
    chunks_of,
    claim_only,
    databases_of,
    die_at,
    hand_over_only,
    leave,
    line_rows,
    reopened,
    restore,
    store_rows,
    without_markers,
)
from tests.support import Campaign, Databases, finish_rows, numbers, write_csv

pytestmark = [pytest.mark.services, pytest.mark.slow]

ADDED = {"public.audit_log", "public.kill_switches"}
"""What a restore adds to: the stop of all sending, and its row in the log."""


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
            upgrade(databases.owner_url)  # as every start does; it knows the restored schema for its own
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
    assert bongsu(databases, "keys", "rotate").returncode == 0
    rotated_by = "SELECT actor FROM audit_log WHERE action = 'key rotated'"
    with databases.owner() as owner:
        (actor,) = owner.execute(rotated_by.encode()).fetchone() or ("",)
    assert str(actor).startswith("command line, ")
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

    die_at(under_way, second, CrashPoint.before_store_commit)
    lost = Dispatched(0, 0, already=True, unknown=50)
    assert [under_way.dispatch(second), under_way.dispatch(fourth)] == [lost, lost]
    assert under_way.dispatch(third).accepted == 50, "a hand-over that the backup holds is settled by its marker"
    assert under_way.dispatch(first).already
    assert line_rows(servers) == before
    assert under_way.dispatch(second) == lost
    done = cancel(under_way.store, under_way.line, under_way.ring, under_way.run.run_id, "sent before the loss")
    totals = done.totals
    assert (totals.recipients, totals.accepted, totals.unknown, totals.cancelled) == (200, 100, 100, 0)
    recounted = audit(under_way.store, under_way.line, under_way.ring, under_way.again())
    assert (recounted.found, recounted.disagreements) == (100, ())
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


@pytest.mark.parametrize("only", [Part.store, None])
def test_a_backup_that_is_restored_twice_gives_no_number_of_a_run_twice(
    servers: Databases, tmp_path: Path, only: Part | None
) -> None:
    campaign = a_campaign(servers, tmp_path, 5)
    leave(campaign)
    back_up(servers, tmp_path / "backup")
    first, given = campaign.run, []
    for _ in range(2):
        restore(servers, tmp_path / "backup", only=only)
        campaign = reopened(servers, campaign)
        campaign.tamper("DELETE FROM kill_switches")
        given.append(campaign.begin().run_id)
        campaign.send()
        assert sorted(campaign.line_rows()) == numbers(5)
        leave(campaign)
        campaign.run = first
    assert given[1] > given[0] + SKIPPED_RUNS


def test_a_line_that_outlived_its_store_has_its_say_in_the_numbers_of_runs(servers: Databases, tmp_path: Path) -> None:
    campaign = a_campaign(servers, tmp_path, 5)
    leave(campaign)
    back_up(servers, tmp_path / "backup")
    with connect_line(servers.line_tables_url) as line, line.cursor() as cursor:
        marker = "INSERT INTO BONGSU_HANDOVER (run_id, hop, chunk_no, table_name, row_count) VALUES (%s, 0, 1, 'x', 0)"
        cursor.execute(marker, (5_000_000,))
        line.commit()
    restore(servers, tmp_path / "backup", only=Part.store)
    campaign = reopened(servers, campaign)
    campaign.tamper("DELETE FROM kill_switches")
    assert campaign.begin().run_id > 5_000_000 + SKIPPED_RUNS
    leave(campaign)

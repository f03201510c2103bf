"""The schema goes up, down and up again, and makes its own partitions."""

import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.errors import RaiseException

from include.errors import BongsuError
from include.settings import ROOT
from include.store import connect
from include.store_migrations import STORE_SQL, downgrade, upgrade
from tests.store.conftest import Make
from tests.support import Databases

pytestmark = pytest.mark.services

WIDE = ("exclusions", "recipients", "messages", "message_events")
OBJECTS = """
SELECT 'relation ' || c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
UNION SELECT 'routine ' || p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
UNION SELECT 'policy ' || polname || ' on ' || polrelid::regclass FROM pg_policy
UNION SELECT 'type ' || t.oid::regtype FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
UNION SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
"""


def objects(url: str) -> set[str]:
    with connect(url) as owner:
        return {name for (name,) in owner.execute(OBJECTS.encode())}


def test_up_down_and_up_again(empty_store: str) -> None:
    nothing = objects(empty_store)
    upgrade(empty_store)
    full = objects(empty_store)
    assert len(full - nothing) > 50
    downgrade(empty_store)
    left = objects(empty_store) - nothing
    assert all("alembic_version" in name for name in left), sorted(left)
    upgrade(empty_store)
    assert objects(empty_store) == full


def test_a_store_that_other_files_have_made_is_not_brought_forward(
    empty_store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    upgrade(empty_store, "0004_runs")
    shutil.copytree(STORE_SQL, tmp_path / "sql")
    with (tmp_path / "sql" / "0002_contacts.up.sql").open("a") as file:
        file.write("-- an afterthought\n")
    monkeypatch.setattr("include.store_migrations.STORE_SQL", tmp_path / "sql")
    with pytest.raises(BongsuError, match="made by a development version whose schema 0004_runs was another"):
        upgrade(empty_store)
    monkeypatch.undo()
    upgrade(empty_store)
    with connect(empty_store) as owner:
        owner.execute("UPDATE alembic_version SET version_num = '0099_later'")
    with pytest.raises(BongsuError, match="the schema 0099_later, which this version does not know"):
        upgrade(empty_store)


def test_the_migrations_form_one_line() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "sql" / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert len(script.get_heads()) == 1
    assert {path.name for path in (ROOT / "sql" / "store").iterdir()} == {
        f"{one.revision}.{way}.sql" for one in script.walk_revisions() for way in ("up", "down")
    }


def partitions(databases: Databases, month: str) -> set[str]:
    with databases.owner() as owner:
        rows = owner.execute("SELECT relname FROM pg_class WHERE relispartition AND relname ~ %s", [f"{month}$"])
        return {name for (name,) in rows if not name.endswith(("_pkey", "_idx"))}


def test_partitions_are_named_by_month_and_made_once(databases: Databases) -> None:
    following = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=93)
    moment = following.replace(day=1) - timedelta(seconds=1)  # the last second of a month
    with connect(databases.store_url, 1) as store:
        for _ in range(2):
            store.execute("SELECT bongsu.ensure_month(%s)", [moment])
            store.commit()
    named = f"{moment:y%Ym%m}"
    assert partitions(databases, named) == {f"{table}_{named}" for table in WIDE}
    assert partitions(databases, f"{following:y%Ym%m}") == set()
    with databases.platform() as platform:
        insert = (
            "INSERT INTO messages (tenant_id, recipient_no, run_id, month, hop, chunk_no, kind) "
            "VALUES (1, 1, -1, %s, 0, 1, 'S')"
        )
        platform.execute(insert, [moment.year * 12 + moment.month - 1])
        platform.rollback()


def test_a_month_that_begins_waits_for_nobody_who_sends(make: Make, databases: Databases) -> None:
    campaign = make(5)
    campaign.send()
    with connect(databases.store_url, 1) as store:
        campaign.store.execute("UPDATE messages SET result_code = 1 WHERE run_id = %s", [campaign.run.run_id])
        campaign.store.execute("SELECT FROM recipients, exclusions, message_events LIMIT 1")
        store.execute("SET lock_timeout = '2s'")
        store.execute("SELECT bongsu.ensure_month(now() + interval '5 months')")
        store.rollback()
        campaign.store.rollback()


def test_no_month_far_from_now_gets_partitions(databases: Databases) -> None:
    with connect(databases.store_url, 1) as store:
        for year in (1999, 2099):
            with pytest.raises(RaiseException, match="is not one of now"):
                store.execute("SELECT bongsu.ensure_month(%s)", [datetime(year, 1, 1, tzinfo=UTC)])
            store.rollback()


def test_partitions_made_by_many_at_once(databases: Databases) -> None:
    ready, problems = threading.Barrier(6), []

    def ask() -> None:
        try:
            with connect(databases.store_url, 1) as store:
                ready.wait(120)
                for month in range(1, 7):
                    store.execute("SELECT bongsu.ensure_month(now() - %s * interval '1 month')", [month])
                    store.commit()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert problems == []
    with databases.owner() as owner:
        before = [
            f"{moment:y%Ym%m}"
            for (moment,) in owner.execute(
                "SELECT (now() - n * interval '1 month') AT TIME ZONE 'UTC' FROM generate_series(1, 6) AS n"
            )
        ]
    assert [len(partitions(databases, named)) for named in before] == [len(WIDE)] * 6


def test_what_the_down_files_drop_is_all_there_is(databases: Databases) -> None:
    """The owner owns every table; nothing was made by the server's superuser."""
    with databases.owner() as owner:
        rows = owner.execute(
            sql.SQL(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname IN ('public', 'bongsu') AND c.relowner <> 'bongsu_owner'::regrole"
            )
        ).fetchall()
    assert rows == []

"""What the store keeps from the application, whoever's rows they are: its limits stay, no view, partition or staging
table leads around them, and what was frozen or written is not changed.
"""

import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, RaiseException

from include.store import connect
from tests.store.conftest import Make
from tests.store.row_support import Rows, identifier, tables
from tests.support import Databases, make_tenant

pytestmark = pytest.mark.services


def test_the_roles_have_no_way_around(databases: Databases) -> None:
    with databases.owner() as owner:
        roles = owner.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname ~ '^bongsu'"
        ).fetchall()
        assert sorted(roles) == [
            (f"bongsu_{name}", False, False, False, False) for name in ("app", "owner", "platform")
        ]
        for question in (
            "SELECT count(*) FROM pg_auth_members WHERE member IN ('bongsu_app'::regrole, 'bongsu_platform'::regrole)",
            "SELECT count(*) FROM pg_class WHERE relowner IN ('bongsu_app'::regrole, 'bongsu_platform'::regrole)",
            "SELECT count(*) FROM pg_proc WHERE proowner IN ('bongsu_app'::regrole, 'bongsu_platform'::regrole)",
            # a function that runs as its owner must not look names up where its caller can put some
            "SELECT count(*) FROM pg_proc WHERE prosecdef AND coalesce(proconfig::text, '') NOT LIKE '%search_path%'",
        ):
            assert owner.execute(question).fetchone() == (0,), question


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE contacts DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE contacts NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY own_tenants ON contacts",
        "CREATE POLICY mine ON contacts USING (true)",
        "SET row_security = off; SELECT * FROM contacts",
        "SET ROLE bongsu_owner",
        "SET ROLE bongsu_platform",
        "SET SESSION AUTHORIZATION bongsu_platform",
        "CREATE TABLE public.mine (a int)",
        "CREATE FUNCTION bongsu.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "TRUNCATE contacts",
        "UPDATE lines SET kind = 'bulk'",
        "UPDATE tenants SET line_group = NULL",
        "INSERT INTO line_group_lines VALUES ('bulk-1', 11)",
        "UPDATE runs SET lines = '{11}'",
        "UPDATE runs SET version = 2",
        "UPDATE runs SET campaign_id = 1",
        "UPDATE chunks SET line_no = 11",
    ],
)
def test_the_application_cannot_lift_its_limits(databases: Databases, statement: str) -> None:
    with connect(databases.store_url, 1) as store, pytest.raises(InsufficientPrivilege):
        store.execute(statement.encode())


def test_a_view_asks_as_the_one_who_reads(databases: Databases) -> None:
    with databases.owner() as owner:
        views = owner.execute(
            "SELECT relname, coalesce('security_invoker=true' = ANY (reloptions), false) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind = 'v' AND nspname IN ('public', 'bongsu')"
        ).fetchall()
    assert ("message_states", True) in views
    assert all(invoker for _, invoker in views)


def test_partitions_open_only_through_their_table(databases: Databases) -> None:
    partitions = [table.name for table in tables(databases) if table.partition]
    assert partitions
    for role_url in (databases.store_url, databases.platform_url):
        with connect(role_url, 1) as store:
            for name in partitions:
                with pytest.raises(InsufficientPrivilege):
                    store.execute(sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(name)))
                store.rollback()


def test_staged_rows_are_those_of_the_tenant_alone(make: Make) -> None:
    one, other = make(5), make(5)
    one.import_()
    for statement in (f"TABLE {one.staged}", f"DELETE FROM {one.staged}"):
        assert other.store.execute(statement).rowcount == 0
        other.store.commit()
    other.store.execute("SELECT bongsu.drop_staging(%s)", [one.run.run_id])
    other.store.commit()
    assert one.value(f"SELECT count(*) FROM {one.staged}") == 5
    with pytest.raises(RaiseException, match="does not exist for this tenant"):
        other.store.execute("SELECT bongsu.open_staging(%s)", [one.run.run_id])
    other.store.rollback()


def test_a_staging_table_is_never_committed_without_protection(make: Make, databases: Databases) -> None:
    campaign = make(5)
    campaign.store.execute("SELECT bongsu.open_staging(%s)", [campaign.run.run_id])
    campaign.store.commit()
    assert [t.name for t in tables(databases) if t.owned and not (t.enabled and t.forced)] == []
    assert campaign.staged in {table.name for table in tables(databases)}


def test_a_staging_table_is_protected_however_its_maker_orders_constraints(make: Make, databases: Databases) -> None:
    campaign, other = make(5), make(5)
    with campaign.store.transaction():
        campaign.store.execute("SET CONSTRAINTS ALL IMMEDIATE")
        campaign.store.execute("SELECT bongsu.open_staging(%s)", [campaign.run.run_id])
        campaign.store.execute(
            f"INSERT INTO {campaign.staged} (tenant_id, row_no, blanks) VALUES ({campaign.tenant_id}, 1, 0)"
        )
    assert campaign.value(f"SELECT count(*) FROM {campaign.staged}") == 1
    assert other.value(f"SELECT count(*) FROM {campaign.staged}") == 0


def test_a_frozen_audience_stays_as_it_is(make: Make) -> None:
    campaign = make(5)
    campaign.import_()
    campaign.freeze()
    run = campaign.run.run_id
    for statement in (
        "UPDATE runs SET frozen_at = NULL WHERE run_id = %s",
        "UPDATE runs SET audience_hash = '' WHERE run_id = %s",
        "UPDATE runs SET columns = '{name,phone}' WHERE run_id = %s",
    ):
        with pytest.raises(RaiseException, match="is frozen"):
            campaign.store.execute(statement.encode(), [run])
        campaign.store.rollback()
    with pytest.raises(InsufficientPrivilege):
        campaign.store.execute(
            "INSERT INTO recipients (tenant_id, recipient_no, run_id, row_no, month, kind) "
            "SELECT tenant_id, 6, run_id, 6, month, 'S' FROM runs WHERE run_id = %s",
            [run],
        )
    campaign.store.rollback()


def test_a_frozen_audience_is_not_staged_again(make: Make) -> None:
    campaign = make(5)
    campaign.import_()
    campaign.freeze()
    with pytest.raises(RaiseException, match="is frozen"):
        campaign.import_()
    campaign.store.rollback()


@pytest.mark.parametrize(
    "table",
    ["certificates", "recipients", "exclusions", "audit_log", "message_events", "campaign_versions", "suppressions"],
)
def test_what_was_written_is_not_changed_by_the_application(databases: Databases, rows: Rows, table: str) -> None:
    mine = make_tenant(databases)
    rows.put(table, mine)
    before = rows.of(table, mine)
    with connect(databases.store_url, mine) as store:
        for statement in ("DELETE FROM {}", "UPDATE {} SET tenant_id = tenant_id"):
            with pytest.raises(InsufficientPrivilege):
                store.execute(sql.SQL(statement).format(identifier(table)))
            store.rollback()
    assert rows.of(table, mine) == before


def test_when_and_by_whom_an_audit_row_was_written_is_the_stores_to_say(databases: Databases) -> None:
    mine = make_tenant(databases)
    with connect(databases.store_url, mine, actor="kim") as store:
        row = store.execute(
            "INSERT INTO audit_log (tenant_id, at, role, actor, action, object) "
            "VALUES (%s, '2020-01-01', 'root', 'lee', 'a', 'b') RETURNING now() - at < '1 minute', role, actor",
            [mine],
        ).fetchone()
        assert row == (True, "bongsu_app", "kim")


def test_a_kill_switch_is_seen_from_below_and_not_from_beside(databases: Databases) -> None:
    parent, stranger = make_tenant(databases), make_tenant(databases)
    child = make_tenant(databases, parent)
    with databases.platform() as platform:
        platform.execute("INSERT INTO kill_switches (tenant_id, reason) VALUES (%s, 'unpaid')", [parent])
    question = "SELECT bongsu.kill_switch(%s)"
    for asker, of_tenant, answer in ((child, child, "unpaid"), (parent, child, "unpaid"), (stranger, child, None)):
        with connect(databases.store_url, asker) as store:
            assert store.execute(question, [of_tenant]).fetchone() == (answer,)
    with databases.platform() as platform:
        assert platform.execute(question, [child]).fetchone() == ("unpaid",)

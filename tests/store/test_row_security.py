"""No tenant reaches another's rows, in any table. The tables are found in the catalog, so a new one is tested too."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege, RaiseException
from psycopg.types.json import Json

from include.settings import settings
from include.store import connect
from tests.store.conftest import Make
from tests.support import Databases, make_campaign, make_tenant, numbers, write_csv

pytestmark = pytest.mark.services

SHARED = {"lines", "line_groups", "line_group_lines", "key_checks", "alembic_version"}
"""Tables without a tenant: the carrier's lines, the keys' check values and Alembic's own."""
TABLES = """
SELECT CASE n.nspname WHEN 'staging' THEN 'staging.' ELSE '' END || c.relname,
       c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'bongsu', 'staging') ORDER BY c.oid
"""
COLUMNS = """
SELECT a.attname, t.typname,
       (SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
        WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum] LIMIT 1),
       f.target, f.target_column
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN LATERAL (
    -- of a key that carries the tenant, the columns that name the other row
    SELECT k.confrelid::regclass::text AS target, b.attname AS target_column
    FROM pg_constraint k
    CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair (own, theirs)
    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.theirs
    WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND pair.own = a.attnum AND a.attname <> 'tenant_id'
    LIMIT 1
) f ON true
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attidentity = '' AND (a.attnotnull OR a.attname = 'phone_index') AND NOT a.atthasdef
ORDER BY a.attnum
"""
GENERATED = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND (attidentity <> '' OR attgenerated <> '')
"""
WIDE = {"exclusions": False, "recipients": False, "messages": True, "message_events": True}
"""Tables whose rows name a run without a foreign key, and whether they do so when its audience is frozen."""


@dataclass(frozen=True)
class Table:
    name: str
    partition: bool
    enabled: bool
    forced: bool
    owned: bool


def tables(databases: Databases) -> list[Table]:
    with databases.owner() as owner:
        return [Table(*row) for row in owner.execute(TABLES)]


def tenant_tables(databases: Databases) -> list[str]:
    """Of the staging tables, which are all made by one function, the last two."""
    found = [table.name for table in tables(databases) if table.owned and not table.partition]
    staging = [name for name in found if name.startswith("staging.")]
    assert staging
    return [name for name in found if name not in staging[:-2]]


def identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def test_a_view_asks_as_the_one_who_reads(databases: Databases) -> None:
    with databases.owner() as owner:
        views = owner.execute(
            "SELECT relname, coalesce('security_invoker=true' = ANY (reloptions), false) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind = 'v' AND nspname IN ('public', 'bongsu')"
        ).fetchall()
    assert ("message_states", True) in views
    assert all(invoker for _, invoker in views)


class Rows:
    """Puts a real row of a tenant into any table, with values made up from the catalog."""

    def __init__(self, databases: Databases) -> None:
        self.platform, self.owner = databases.platform(), databases.owner()
        self.serial = 1_000_000  # beside the keys of real runs

    def values(self, table: str, tenant: int) -> dict[str, Any]:
        self.serial += 1
        found: dict[str, Any] = {}
        for column, kind, check, reference, referred in self.owner.execute(COLUMNS, [table]).fetchall():
            if column == "tenant_id":
                found[column] = tenant
            elif column == "dag_id" and table == "campaigns":
                continue  # the store names it
            elif column == "month":
                found[column] = datetime.now(UTC).year * 12 + datetime.now(UTC).month - 1
            elif column == "line_no" or column == "lines":
                found[column] = 1 if column == "line_no" else [1]
            elif reference is not None:
                found[column] = self.existing(reference, referred, tenant)
            elif check is not None and (choice := re.search(r"'([a-z_]+)'", check)):
                found[column] = choice[1]
            else:
                found[column] = self.value(kind)
        return found

    def existing(self, table: str, column: str, tenant: int) -> Any:
        """What a row of the tenant's, always the same one, has in a column that can be referred to."""
        query = sql.SQL("SELECT {} FROM {} WHERE tenant_id = {} ORDER BY ctid LIMIT 1")
        statement = query.format(sql.Identifier(column), identifier(table), tenant)
        row = self.platform.execute(statement).fetchone()
        return row[0] if row is not None else self.put(table, tenant)[column]

    def run_for(self, table: str, tenant: int) -> dict[str, Any]:
        """A run of the tenant's to which a row of the table may be added; its keys as columns of the table."""
        run = self.put("runs", tenant)
        frozen = WIDE.get(table, False)
        with self.platform.transaction():
            self.platform.execute(
                "UPDATE runs SET state = %s, frozen_at = CASE WHEN %s THEN now() END WHERE run_id = %s",
                ["sending" if frozen else "started", frozen, run["run_id"]],
            )
        keys = {"run_id": run["run_id"]}
        return {**keys, "month": run["month"]} if table in WIDE else keys

    def value(self, kind: str) -> Any:
        values: dict[str, Any] = {
            "text": f"x{self.serial}",
            "bytea": f"x{self.serial}".encode(),
            "bool": False,
            "char": "S",
            "timestamptz": datetime.now(UTC),
            "jsonb": Json({}),
            "int2": 1,
            "_text": ["x"],
            "_int2": [1],
            "_int4": [1],
        }
        return values.get(kind, self.serial)

    def put(self, table: str, tenant: int) -> dict[str, Any]:
        """The whole row, as the store keeps it."""
        if table == "tenants":
            statement: Any = sql.SQL("SELECT * FROM tenants WHERE tenant_id = {}").format(tenant)
        else:
            statement = insertion(table, self.values(table, tenant)) + sql.SQL(" RETURNING *")
        with self.platform.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            row = cursor.execute(statement).fetchone()
        self.platform.commit()
        assert row is not None
        return row

    def generated(self, table: str) -> set[str]:
        """The columns that nobody may write."""
        return {name for (name,) in self.owner.execute(GENERATED, [table])}

    def of(self, table: str, tenant: int) -> list[Any]:
        query = sql.SQL("SELECT * FROM {} WHERE tenant_id = {}")
        rows = self.platform.execute(query.format(identifier(table), tenant)).fetchall()
        self.platform.commit()
        return rows


def insertion(table: str, values: dict[str, Any]) -> sql.Composed:
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Literal, values.values())),
    )


@pytest.fixture(scope="module")
def rows(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    made = Rows(databases)
    file = tmp_path_factory.mktemp("people") / "people.csv"
    staged = make_campaign(databases, write_csv(file, ("phone", "name"), [(n, "김") for n in numbers(3)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BONGSU_CUSTOMER_FILES", databases.environment["BONGSU_CUSTOMER_FILES"])
        settings.cache_clear()
        staged.import_()
    settings.cache_clear()
    staged.close()
    yield made
    made.platform.close()
    made.owner.close()


def seen(store: psycopg.Connection, table: str) -> set[int]:
    found = store.execute(sql.SQL("SELECT tenant_id FROM {}").format(identifier(table))).fetchall()
    store.commit()
    return {tenant for (tenant,) in found}


def test_every_tenant_table_is_protected(databases: Databases, rows: Rows) -> None:
    found = tables(databases)
    assert {table.name for table in found if not table.owned} == SHARED
    assert [table.name for table in found if table.owned and not (table.enabled and table.forced)] == []
    assert len(tenant_tables(databases)) > 15
    assert any(table.partition for table in found)


def test_a_tenant_reaches_no_row_of_another(databases: Databases, rows: Rows) -> None:
    mine, other = make_tenant(databases), make_tenant(databases)
    with connect(databases.store_url, mine) as store:
        for table in tenant_tables(databases):
            theirs = rows.put(table, other)
            own = rows.put(table, mine)
            before = rows.of(table, other)
            assert seen(store, table) == {mine}, table
            name = identifier(table)
            column = sql.Identifier("title" if table == "tenants" else "tenant_id")
            for statement in (
                sql.SQL("UPDATE {} SET {} = {} WHERE tenant_id = {}").format(name, column, mine, other),
                sql.SQL("DELETE FROM {} WHERE tenant_id = {}").format(name, other),
            ):
                with suppress(InsufficientPrivilege):  # the application has no such right at all
                    assert store.execute(statement).rowcount == 0, table
                store.rollback()
            values = {
                key: Json(value) if isinstance(value, dict) else value
                for key, value in theirs.items()
                if key not in rows.generated(table)
            }
            with pytest.raises(InsufficientPrivilege):
                store.execute(insertion(table, values))
            store.rollback()
            give_away = sql.SQL("UPDATE {} SET {} = {} WHERE tenant_id = {}").format(name, column, other, mine)
            with pytest.raises(InsufficientPrivilege):
                store.execute(give_away)
            store.rollback()
            assert rows.of(table, other) == before, table
            assert own["tenant_id"] == mine


def referring(databases: Databases, rows: Rows, column: str) -> list[str]:
    """The tables whose rows name a run, or a campaign."""
    found = []
    for table in tenant_tables(databases):
        if table != column.removesuffix("_id") + "s" and not table.startswith("staging."):
            names = [name for name, *_ in rows.owner.execute(COLUMNS, [table]).fetchall()]
            found += [table] if column in names else []
    return found


def test_a_row_names_a_run_of_its_own_tenant_only(databases: Databases, rows: Rows) -> None:
    mine, other = make_tenant(databases), make_tenant(databases)
    tables = referring(databases, rows, "run_id")
    assert {"chunks", "certificates", "run_stages", "report_runs", *WIDE} <= set(tables)
    with connect(databases.store_url, mine) as store:
        for table in tables:
            own = rows.values(table, mine) | rows.run_for(table, mine)
            theirs = own | rows.run_for(table, other)
            for column in rows.generated(table):
                own.pop(column, None)
            with pytest.raises((InsufficientPrivilege, ForeignKeyViolation)):
                store.execute(insertion(table, theirs))
            store.rollback()
            store.execute(insertion(table, own))  # the same row of a run of its own is taken
            store.rollback()


def test_a_row_names_a_campaign_of_its_own_tenant_only(databases: Databases, rows: Rows) -> None:
    mine, other = make_tenant(databases), make_tenant(databases)
    with connect(databases.store_url, mine) as store:
        for table in ("campaign_versions", "runs"):
            own = rows.values(table, mine)
            campaign = rows.put("campaigns", other)["campaign_id"]
            for foreign in (campaign, 10**15):  # one that is there answers like one that is not
                with pytest.raises(ForeignKeyViolation):
                    store.execute(insertion(table, own | {"campaign_id": foreign}))
                store.rollback()
            store.execute(insertion(table, own | {"version": own["version"] + (table == "campaign_versions")}))
            store.rollback()


def test_a_run_and_its_chunks_name_lines_of_the_tenant_only(databases: Databases, rows: Rows) -> None:
    mine = make_tenant(databases, line_group="bulk-1")
    with connect(databases.store_url, mine) as store:
        run = rows.values("runs", mine)
        for lines, test in (([4], False), ([1, 4], False), ([10], False), ([1], True)):
            with pytest.raises(InsufficientPrivilege):
                store.execute(insertion("runs", run | {"lines": lines, "test_send": test}))
            store.rollback()
        for lines, test in (([1, 2, 3], False), ([11], False), ([10], True)):
            store.execute(insertion("runs", run | {"lines": lines, "test_send": test}))
            store.rollback()
        chunk = rows.values("chunks", mine) | rows.run_for("chunks", mine)
        with pytest.raises(InsufficientPrivilege):
            store.execute(insertion("chunks", chunk | {"line_no": 2}))
        store.rollback()
        store.execute(insertion("chunks", chunk | {"line_no": 1}))
        for column in ("line_no", "first_no", "last_no", "run_id"):
            with pytest.raises(InsufficientPrivilege), store.transaction():
                store.execute(f"UPDATE chunks SET {column} = {column}".encode())
        store.rollback()


@pytest.mark.parametrize("group", ["auth", "test"])
def test_a_bulk_tenant_gets_bulk_lines_only(databases: Databases, group: str) -> None:
    with pytest.raises(ForeignKeyViolation):
        make_tenant(databases, line_group=group)
    with databases.platform() as platform, pytest.raises(ForeignKeyViolation):
        platform.execute("INSERT INTO line_group_lines (group_slug, line_no, kind) VALUES ('bulk-1', 11, 'bulk')")


def test_no_tenant_takes_the_dag_id_of_another(databases: Databases, rows: Rows) -> None:
    mine, other = make_tenant(databases), make_tenant(databases)
    with databases.platform() as platform:
        named = "SELECT 'campaign__' || slug || '__sale' FROM tenants WHERE tenant_id = %s"
        own, theirs = (platform.execute(named, [tenant]).fetchone() for tenant in (mine, other))
        assert theirs is not None
    with connect(databases.store_url, mine) as store:
        values = rows.values("campaigns", mine) | {"slug": "sale", "dag_id": theirs[0]}
        given = store.execute(insertion("campaigns", values) + sql.SQL(" RETURNING dag_id")).fetchone()
        assert given == own
        store.rollback()


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


def test_when_and_by_whom_an_audit_row_was_written_is_the_stores_to_say(databases: Databases) -> None:
    mine = make_tenant(databases)
    with connect(databases.store_url, mine, actor="kim") as store:
        row = store.execute(
            "INSERT INTO audit_log (tenant_id, at, role, actor, action, object) "
            "VALUES (%s, '2020-01-01', 'root', 'lee', 'a', 'b') RETURNING now() - at < '1 minute', role, actor",
            [mine],
        ).fetchone()
        assert row == (True, "bongsu_app", "kim")


def test_without_a_tenant_nothing_is_seen(databases: Databases, rows: Rows) -> None:
    tenant = make_tenant(databases)
    with connect(databases.store_url) as store:
        for table in tenant_tables(databases):
            rows.put(table, tenant)
            assert seen(store, table) == set(), table


def test_a_parent_sees_its_descendants_and_nobody_beside(databases: Databases, rows: Rows) -> None:
    parent = make_tenant(databases)
    child, sibling = make_tenant(databases, parent), make_tenant(databases, parent)
    grandchild = make_tenant(databases, child)
    with connect(databases.store_url, child) as below, connect(databases.store_url, parent) as above:
        for table in tenant_tables(databases):
            for tenant in (parent, child, sibling, grandchild):
                rows.put(table, tenant)
            assert seen(below, table) == {child, grandchild}, table
            assert seen(above, table) == {parent, child, sibling, grandchild}, table


def test_the_platform_sees_everybody(databases: Databases, rows: Rows) -> None:
    one, other = make_tenant(databases), make_tenant(databases)
    with databases.platform() as platform:
        for table in tenant_tables(databases):
            rows.put(table, one)
            rows.put(table, other)
            assert {one, other} <= seen(platform, table), table


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
    ],
)
def test_the_application_cannot_lift_its_limits(databases: Databases, statement: str) -> None:
    with connect(databases.store_url, 1) as store, pytest.raises(InsufficientPrivilege):
        store.execute(statement.encode())


def test_partitions_open_only_through_their_table(databases: Databases) -> None:
    partitions = [table.name for table in tables(databases) if table.partition]
    assert partitions
    for role_url in (databases.store_url, databases.platform_url):
        with connect(role_url, 1) as store:
            for name in partitions:
                with pytest.raises(InsufficientPrivilege):
                    store.execute(sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(name)))
                store.rollback()


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


def test_a_frozen_audience_is_not_staged_again(make: Make) -> None:
    campaign = make(5)
    campaign.import_()
    campaign.freeze()
    with pytest.raises(RaiseException, match="is frozen"):
        campaign.import_()
    campaign.store.rollback()

"""No tenant reaches another's rows, in any table. The tables are found in the catalog, so a new one is tested too."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, RaiseException
from psycopg.types.json import Json

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
       (SELECT k.confrelid::regclass::text FROM pg_constraint k
        WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum] LIMIT 1)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attidentity = '' AND (a.attnotnull OR a.attname = 'phone_index') AND NOT a.atthasdef
ORDER BY a.attnum
"""


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
        for column, kind, check, reference in self.owner.execute(COLUMNS, [table]).fetchall():
            if column == "tenant_id":
                found[column] = tenant
            elif reference is not None:
                found[column] = self.existing(reference, tenant)
            elif check is not None and (choice := re.search(r"'([a-z_]+)'", check)):
                found[column] = choice[1]
            else:
                found[column] = self.value(kind)
        return found

    def existing(self, table: str, tenant: int) -> Any:
        """The key of a row that can be referred to: a line, or the tenant's own."""
        if table == "lines":
            return 1
        key = {"runs": "run_id", "campaigns": "campaign_id"}[table]
        query = sql.SQL("SELECT max({}) FROM {} WHERE tenant_id = {}")
        statement = query.format(sql.Identifier(key), identifier(table), tenant)
        row = self.platform.execute(statement).fetchone()
        assert row is not None
        return row[0] if row[0] is not None else self.put(table, tenant)[key]

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
        query = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attidentity <> ''"
        return {name for (name,) in self.owner.execute(query, [table])}

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
    staged.import_()
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
                try:
                    assert store.execute(statement).rowcount == 0, table
                except InsufficientPrivilege:
                    assert table in ("tenants", "audit_log", "kill_switches", "contact_tags")
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


def test_a_frozen_audience_is_not_staged_again(make: Make) -> None:
    campaign = make(5)
    campaign.import_()
    campaign.freeze()
    with pytest.raises(RaiseException, match="is frozen"):
        campaign.import_()
    campaign.store.rollback()

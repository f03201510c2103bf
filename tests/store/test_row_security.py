"""No tenant reaches another's rows, in any table. The tables are found in the catalog, so a new one is tested too."""

from contextlib import suppress

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege
from psycopg.types.json import Json

from include.store import connect
from tests.store.row_support import COLUMNS, WIDE, Rows, identifier, insertion, tables, tenant_tables
from tests.support import Databases, make_tenant

pytestmark = pytest.mark.services

SHARED = {"lines", "line_groups", "line_group_lines", "key_checks", "alembic_version"}
"""Tables without a tenant: the carrier's lines, the keys' check values and Alembic's own."""


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

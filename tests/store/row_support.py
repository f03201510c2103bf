"""The tables of the store as its catalog knows them, and a real row of a tenant for any of them."""

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Json

from tests.support import Databases

_serial = itertools.count(1_000_001)  # beside the keys of real runs, and no key twice in the one store of a session
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


class Rows:
    """Puts a real row of a tenant into any table, with values made up from the catalog."""

    def __init__(self, databases: Databases) -> None:
        self.platform, self.owner = databases.platform(), databases.owner()
        self.serial = next(_serial)

    def values(self, table: str, tenant: int) -> dict[str, Any]:
        self.serial = next(_serial)
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

"""What tests of the store, the faults and the DAGs share: a campaign, its stages, the answers of the line."""

import csv
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from MySQLdb.connections import Connection
from psycopg import sql

from include.audience.freeze import FreezeCounts, freeze
from include.audience.staged import staging_table
from include.audience.staging import ImportCounts, import_targets
from include.campaigns import runs
from include.campaigns.definition import canonical, content_hash, spec_hash
from include.campaigns.guard import Go
from include.campaigns.guarding import Asked, guard
from include.campaigns.runs import Run
from include.campaigns.spec import CampaignSpec
from include.delivery.chunks import plan_chunks
from include.delivery.dispatch import Dispatched, dispatch_chunk
from include.delivery.line_connection import connect_for_hand_over, connect_line
from include.delivery.line_schema import log_tables, queue_table
from include.delivery.receipts import Collected, collect
from include.privacy.cipher import KeyRing
from include.queries import query
from include.settings import ROOT
from include.store import connect

AD = "(광고) [ACME] {{name|고객}}님, 20% 할인 무료수신거부 080-123-4567"
_serial = itertools.count(1)


@dataclass(frozen=True, repr=False)
class Databases:
    """The services of the tests: addresses of every role, and the keys. Not shown: it holds passwords."""

    home: Path
    store_url: str
    platform_url: str
    owner_url: str
    admin_url: str
    line_url: str
    line_tables_url: str
    keyring: Path
    environment: Mapping[str, str]

    @property
    def ring(self) -> KeyRing:
        return KeyRing.load(self.keyring)

    def platform(self) -> psycopg.Connection:
        """The store as the role that sees every tenant."""
        return connect(self.platform_url)

    def owner(self) -> psycopg.Connection:
        return connect(self.owner_url)

    def bongsu(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """The command line, in a process of its own."""
        command = [sys.executable, "-m", "include.cli", *map(str, arguments)]
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)

    def store(self, tenant: int) -> psycopg.Connection:
        """The store as the application, bound to a tenant."""
        return connect(self.store_url, tenant)

    def line(self) -> Connection:
        return connect_line(self.line_url)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], encoding: str = "utf-8") -> Path:
    """A CSV file with ``header``."""
    with path.open("w", encoding=encoding, newline="") as file:
        out = csv.writer(file)
        out.writerow(header)
        out.writerows(rows)
    return path


def own_files(root: Path, folder: Path, tenant: str = "acme") -> dict[str, str]:
    """The setting under which ``folder`` is that of ``tenant``, by default the tests' own; what it needs is made in
    ``root``.
    """
    root.mkdir(exist_ok=True)
    (root / tenant).unlink(missing_ok=True)
    (root / tenant).symlink_to(folder)
    return {"BONGSU_CUSTOMER_FILES": str(root)}


def numbers(count: int, start: int = 0) -> list[str]:
    """Mobile numbers in their plain form, all different, from a range that nothing else in the stores looks like."""
    return [f"010{73000000 + start + n:08d}" for n in range(count)]


@dataclass
class Campaign:
    """A campaign in the store, with connections of its own tenant; every stage is one call.

    :ivar line: the line as the product has it.
    :ivar carrier: the line as the owner of its tables: what agents, and people who should not, do there.
    """

    databases: Databases
    tenant_id: int
    campaign_id: int
    spec: CampaignSpec
    store: psycopg.Connection
    line: Connection
    carrier: Connection
    ring: KeyRing
    run: Run

    def again(self) -> Run:
        """Read the run anew."""
        self.run = runs.load(self.store, self.run.run_id)
        return self.run

    def import_(self) -> ImportCounts:
        counts = import_targets(self.store, self.run, self.ring)
        self.again()
        return counts

    def freeze(self) -> FreezeCounts:
        counts = freeze(self.store, self.run)
        self.again()
        return counts

    def dispatch(self, chunk_no: int) -> Dispatched:
        return dispatch_chunk(self.store, self.line, self.run, self.ring, chunk_no)

    def forget_acceptance(self) -> None:
        """What a crash between the line's commit and the store's leaves behind."""
        self.store.execute(
            "UPDATE chunks SET state = 'planned', accepted = 0, handed_over_at = NULL WHERE run_id = %s",
            [self.run.run_id],
        )
        self.store.commit()

    def send(self) -> list[int]:
        """Everything up to the hand-over of every chunk; the chunks' numbers."""
        self.import_()
        self.freeze()
        return self.send_frozen()

    def send_frozen(self) -> list[int]:
        """Hand over every chunk of the frozen audience."""
        chunks = plan_chunks(self.store, self.run)
        for number in chunks:
            self.dispatch(number)
        return chunks

    def collect(self) -> Collected:
        """One look at the line for receipts."""
        return collect(self.store, self.line, self.run)

    def begin(self, *, test_send: bool = False) -> Run:
        """A further run of the campaign."""
        self.run = let_go(self.store, self.campaign_id, self.spec.dag_id, test_send=test_send)
        return self.run

    @property
    def staged(self) -> str:
        """The staging table of the run, as SQL."""
        return staging_table(self.run.run_id)

    def tamper(self, statement: str, *values: Any) -> int:
        """Change the store as nobody of the product can: as the owner of its tables; how many rows."""
        with self.databases.owner() as owner:
            return owner.execute(statement.encode(), list(values)).rowcount

    def value(self, statement: str, *values: Any) -> Any:
        """The first value of one row of the store."""
        row = self.store.execute(statement, list(values)).fetchone()
        self.store.commit()
        return row[0] if row else None

    def line_rows(self, columns: str = "dest_no", lines: Iterable[int] = range(1, 12)) -> list[Any]:
        """What the line's tables, queues and logs, hold for the run; single columns bare."""
        found: list[Any] = []
        with self.line.cursor() as cursor:
            for line_no in lines:
                for table in (queue_table(line_no), *log_tables(self.line, line_no)):
                    cursor.execute(
                        f"SELECT {columns} FROM {table} WHERE app_etc2 LIKE %s ORDER BY seqno",
                        (f"{self.run.run_id}.%",),
                    )
                    found += [row if "," in columns else row[0] for row in cursor.fetchall()]
        self.line.rollback()
        return found

    def close(self) -> None:
        self.store.close()
        self.line.close()
        self.carrier.close()


def make_tenant(databases: Databases, parent: int | None = None, line_group: str | None = "bulk-1") -> int:
    """A tenant of its own for a test, so that tests never see each other's rows."""
    slug = f"t{next(_serial)}-{id(databases) % 9999}"
    with databases.platform() as platform:
        row = platform.execute(
            "INSERT INTO tenants (parent_id, slug, title, kind, line_group) VALUES (%s, %s, %s, 'branch', %s) "
            "RETURNING tenant_id",
            [parent, slug, slug, line_group],
        ).fetchone()
    assert row is not None
    return int(row[0])


def make_campaign(
    databases: Databases,
    file: Path,
    *,
    columns: Mapping[str, str] | None = None,
    text: str = AD,
    purpose: str = "advertising",
    audience: Mapping[str, Any] | None = None,
    message: Mapping[str, Any] | None = None,
    chunk_size: int = 100,
    tenant_id: int | None = None,
    test_send: bool = False,
) -> Campaign:
    """A campaign of a tenant of its own over ``file``, with a run begun."""
    tenant = make_tenant(databases) if tenant_id is None else tenant_id
    slug = f"c{next(_serial)}"
    spec = CampaignSpec.model_validate(
        {
            "tenant": "acme",
            "slug": slug,
            "title": "봄맞이",
            "purpose": purpose,
            "audience": {
                "file": str(file),
                "columns": columns or {"phone": "phone", "name": "name"},
                **(audience or {}),
            },
            "message": {"channel": "sms", "sender": "0212345678", "text": text, **(message or {})},
            "delivery": {"chunk_size": chunk_size},
        }
    )
    store = connect(databases.store_url, tenant)
    number = put_campaign(store, tenant, spec)
    run = let_go(store, number, spec.dag_id, test_send=test_send)
    line, carrier = connect_for_hand_over(databases.line_url), connect_line(databases.line_tables_url)
    return Campaign(databases, tenant, number, spec, store, line, carrier, databases.ring, run)


def put_campaign(store: psycopg.Connection, tenant: int, spec: CampaignSpec) -> int:
    """Version 1 of a campaign in the store, whatever loaders have room for it; its number."""
    values = {
        "tenant": tenant,
        "slug": spec.slug,
        "title": spec.title,
        "shard": 0,
        "now": datetime.now(UTC),
        "version": 1,
        "spec": canonical(spec),
        "hash": spec_hash(spec),
        "content_hash": content_hash(spec.document()),
    }
    row = store.execute(query("campaigns/create"), values).fetchone()
    assert row is not None
    store.execute(query("campaigns/keep_version"), values | {"campaign": row[0]})
    store.commit()
    return int(row[0])


def let_go(store: psycopg.Connection, campaign_id: int, dag_id: str, *, test_send: bool = False) -> Run:
    """A run of the campaign that the guard has let go, beside all others."""
    asked = Asked(run_after=datetime.now(UTC), test_send=test_send, allow_overlap=True)
    run, decision = guard(store, campaign_id, dag_id, f"manual__{next(_serial)}", asked)
    assert isinstance(decision, Go), decision
    return run


def finish_rows(
    campaign: Campaign,
    code: int | None = None,
    *,
    where: str = "1 = 1",
    move_to: str | None = None,
    lines: Iterable[int] = (1, 2, 3),
) -> int:
    """Answer as the carrier's agent does: give the run's queue rows a result; with ``move_to`` (``YYYYMM``) move them
    to that month's log table. How many rows."""
    done = 0
    mine = "app_etc2 LIKE %s AND " + where
    run = f"{campaign.run.run_id}.%"
    with campaign.carrier.cursor() as cursor:
        for line_no in lines:
            table = queue_table(line_no)
            if code is not None:
                done += cursor.execute(
                    f"UPDATE {table} SET status_code = %s, rsv1 = '5', mobsend_time = NOW(), repmsg_recvtm = NOW() "
                    f"WHERE {mine} AND status_code = 100",
                    (code, run),
                )
            if move_to is not None:
                log = f"{table}_{move_to}"
                there = log_tables(campaign.carrier, line_no)
                if log not in there:
                    cursor.execute(f"CREATE TABLE {log} LIKE {there[0]}")
                cursor.execute(f"INSERT INTO {log} SELECT * FROM {table} WHERE {mine}", (run,))
                cursor.execute(f"DELETE FROM {table} WHERE {mine}", (run,))
    campaign.carrier.commit()
    return done


def find_clear_numbers(owner_url: str, wanted: Iterable[str]) -> list[str]:
    """Where the store holds one of ``wanted`` readable: ``table.column`` for every text, bytea and JSON column.

    A number counts in any spelling of its digits with spaces or dashes between, in text or in the bytes of a bytea.
    """
    needles = {number[-8:] for number in wanted}
    found = set()
    with connect(owner_url) as owner:
        columns = owner.execute(
            "SELECT c.relname, a.attname, t.typname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped "
            "AND t.typname IN ('text', 'varchar', 'bytea', 'jsonb', 'json', '_text') ORDER BY 1, 2"
        ).fetchall()
        assert columns, "there is nothing to search"
        for table, column, kind in columns:
            shown = "convert_from(%s, 'LATIN1')" if kind == "bytea" else "%s::text"
            name = sql.Identifier(column).as_string(owner)
            source = sql.Identifier(table).as_string(owner)
            if kind == "bytea":
                statement = f"SELECT {name} FROM {source} WHERE {name} IS NOT NULL"
            else:
                statement = f"SELECT {shown % name} FROM {source} WHERE {name} IS NOT NULL"
            with owner.cursor(name="scan") as cursor:
                for (value,) in cursor.execute(statement.encode()):
                    text = bytes(value).decode("latin-1") if kind == "bytea" else value
                    digits = re.sub(r"(?<=\d)[ -](?=\d)", "", text)
                    if any(digits[at : at + 8] in needles for at in _starts(digits)):
                        found.add(f"{table}.{column}")
                        break
    return sorted(found)


def _starts(text: str) -> Iterable[int]:
    """Where eight digits in a row begin."""
    return (match.start() for match in re.finditer(r"(?=\d{8})", text))

"""One campaign, stage by stage without Airflow: what the rows of the table about single stages have in common."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import MySQLdb
import psycopg

from benchmarks.measure import SEED, Bench
from include.audience.freeze import freeze
from include.audience.gate import run_gate
from include.audience.staging import import_targets
from include.campaigns import runs
from include.campaigns.definition import content_hash
from include.campaigns.guard import Go
from include.campaigns.guarding import Asked, guard
from include.campaigns.spec import CampaignSpec
from include.delivery.chunks import plan_chunks
from include.delivery.dispatch import dispatch_chunk
from include.delivery.line_connection import connect_for_hand_over, connect_line
from include.delivery.line_schema import log_tables, queue_table
from include.delivery.receipts import collect
from include.privacy.ring import open_ring
from include.queries import query
from include.reporting.books import close
from include.settings import ROOT, settings
from include.store import connect, tenant_id
from sandbox.customers import generate

TEXT = "(광고) [ACME] {{name|고객}}님, 봄맞이 20% 할인 무료수신거부 080-123-4567"
COLUMNS = {"phone": "휴대폰", "name": "이름", "consent": "수신동의"}
CONNECTIONS = 3
"""Processes that dispatch at once, and lines that a campaign goes over."""


def customer_file(bench: Bench) -> Path:
    """The customer file of this run, made once: realistic dirt, the same for every commit."""
    file = bench.folder / f"customers-{bench.rows}.csv"
    if not file.exists():
        generate(file, bench.rows, SEED)
    return file


class Campaign:
    """A run of a fresh campaign of tenant ``acme`` on the embedded servers.

    Every stage is a method that does what its task does; a stage that is asked for twice is done once.
    """

    def __init__(self, store: psycopg.Connection, line: MySQLdb.Connection, run: runs.Run, folder: Path) -> None:
        self.store, self.line, self.run, self.folder = store, line, run, folder
        self.ring = open_ring(store, settings().keyring)
        self.chunks: list[int] = []
        self._done: set[str] = set()

    @classmethod
    def create(cls, file: Path, folder: Path | None = None) -> Self:
        """Write the campaign and begin its run; it has no DAG, so Airflow never sees it.

        :param folder: where the gate keeps its page; by default beside the file.
        """
        slug = f"bench-{time.time_ns()}"
        spec = CampaignSpec.model_validate(
            {
                "tenant": "acme",
                "slug": slug,
                "title": "benchmark",
                "purpose": "advertising",
                "audience": {"file": str(file), "columns": COLUMNS},
                "message": {"channel": "sms", "sender": "0212345678", "text": TEXT},
            }
        )
        with connect(settings().platform_url) as platform:
            tenant = tenant_id(platform, "acme")
        store = connect(settings().store_url, tenant)
        values = {
            "tenant": tenant,
            "slug": slug,
            "state": "live",
            "spec": json.dumps(spec.document()),
            "content_hash": content_hash(spec.document()),
        }
        row = store.execute(query("benchmarks/campaign"), values).fetchone()
        assert row is not None
        store.commit()
        run, decision = guard(store, row[0], "bench", "bench", Asked(run_after=datetime.now(UTC)))
        assert isinstance(decision, Go), decision
        run = replace(run, lines=run.lines[:CONNECTIONS])
        return cls(store, connect_for_hand_over(settings().line_url), run, folder or file.parent)

    def import_and_freeze(self) -> None:
        """Import, validate, dedupe, freeze and cut into chunks."""
        if self._first("import"):
            import_targets(self.store, self.run, self.ring)
            self._reload()
            gate = run_gate(settings().store_url, self.run, self.folder / f"gate-{self.run.run_id}")
            assert gate.passed
            freeze(self.store, self.run)
            self._reload()
            self.chunks = plan_chunks(self.store, self.run)

    def dispatch(self, processes: "Dispatchers | None" = None) -> None:
        """Hand every chunk over, in ``processes`` at once or in this one."""
        if self._first("dispatch"):
            self.import_and_freeze()
            if processes is not None:
                processes.dispatch(self)
                return
            for number in self.chunks:
                dispatch_chunk(self.store, self.line, self.run, self.ring, number)

    def deliver(self) -> None:
        """What the agents do: every message gets its result, in one statement a line."""
        if self._first("deliver"):
            self.dispatch()
            with tables_owner() as line, line.cursor() as cursor:
                for line_no in self.run.lines:
                    cursor.execute(
                        f"UPDATE {queue_table(line_no)} SET status_code = IF(msg_type = 'S', 6, 1000), "
                        "repmsg_recvtm = NOW() WHERE app_etc2 LIKE %s",
                        (f"{self.run.run_id}.%",),
                    )
                line.commit()

    def collect(self) -> None:
        """Settle every message with its result."""
        if self._first("collect"):
            self.deliver()
            collect(self.store, self.line, self.run)

    def close_books(self) -> None:
        """Report, books and certificate."""
        if self._first("books"):
            self.collect()
            close(self.store, self.run)

    def recipients(self) -> int:
        """How many people the frozen audience has."""
        row = self.store.execute("SELECT count(*) FROM recipients WHERE run_id = %s", [self.run.run_id]).fetchone()
        self.store.commit()
        return int(row[0]) if row else 0

    def relay(self) -> None:
        """Let the carrier's agents, in a process of their own, take the campaign from its queues into their logs."""
        lines = ",".join(map(str, self.run.lines))
        agents_are = {**os.environ, "BONGSU_LINE_URL": settings().line_tables_url}
        command = [sys.executable, "-m", "sandbox.agent", "--lines", lines]
        with subprocess.Popen(command, cwd=ROOT, env=agents_are) as agents:
            while self._queued():
                time.sleep(0.1)
            agents.terminate()

    def remove(self) -> None:
        """Empty the lines, so that the next run meets them as this one did, and close the connections."""
        with tables_owner() as line, line.cursor() as cursor:
            for line_no in self.run.lines:
                # an emptied queue numbers its rows from 1 again, and its logs must not have those numbers
                for table in (queue_table(line_no), *log_tables(line, line_no)):
                    cursor.execute(f"TRUNCATE TABLE {table}")
        self.line.close()
        self.store.close()

    def _queued(self) -> bool:
        looks = (f"EXISTS (SELECT 1 FROM {queue_table(line_no)})" for line_no in self.run.lines)
        with self.line.cursor() as cursor:
            cursor.execute(f"SELECT {' OR '.join(looks)}")
            found = bool(cursor.fetchall()[0][0])
        self.line.rollback()  # the next look sees what has happened meanwhile
        return found

    def _reload(self) -> None:
        self.run = runs.load(self.store, self.run.run_id)

    def _first(self, stage: str) -> bool:
        first = stage not in self._done
        self._done.add(stage)
        return first


class Dispatchers:
    """Processes that stand ready like Airflow's workers: connected, with everything imported."""

    def __init__(self, count: int = CONNECTIONS) -> None:
        self.count = count
        self._pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"))
        self.run(_warm_up, [0.5] * count)

    def run(self, work: Callable[[Any], object], arguments: list[Any]) -> None:
        """``work`` once for each argument, in whichever process is free, in order."""
        for _ in self._pool.map(work, arguments):
            pass

    def dispatch(self, campaign: Campaign) -> None:
        """Hand over all chunks of a campaign."""
        self.run(_dispatch_in_worker, [(campaign.run.tenant_id, campaign.run.run_id, n) for n in campaign.chunks])

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


def _warm_up(seconds: float) -> None:
    """Keeps a process busy for so long that each of the others gets a call, too."""
    worker_line()
    time.sleep(seconds)


@cache
def worker_line() -> MySQLdb.Connection:
    """The line connection of this process."""
    return connect_for_hand_over(settings().line_url)


def tables_owner() -> MySQLdb.Connection:
    """The line as the owner of its tables: who changes rows, makes and empties tables. Closed by ``with``."""
    return connect_line(settings().line_tables_url)


@cache
def _worker_store(tenant: int) -> psycopg.Connection:
    return connect(settings().store_url, tenant)


def _dispatch_in_worker(chunk: tuple[int, int, int]) -> None:
    tenant, run_id, number = chunk
    store = _worker_store(tenant)
    ring = open_ring(store, settings().keyring)
    dispatch_chunk(store, worker_line(), runs.load(store, run_id), ring, number)

"""One campaign, stage by stage without Airflow, and the limit of each stage on the same rows."""

import json
import os
import tempfile
import time
from pathlib import Path

import MySQLdb
import psycopg

from include.audience.freeze import freeze
from include.audience.staging import import_targets
from include.campaigns import runs
from include.campaigns.spec import CampaignSpec
from include.delivery.chunks import plan_chunks
from include.delivery.dispatch import dispatch_chunk
from include.delivery.line_connection import connect_line
from include.delivery.receipts import collect
from include.privacy.cipher import key_ring
from include.reporting.books import close
from include.settings import settings
from include.store import connect, tenant_id

TEXT = "(광고) [ACME] {{name|고객}}님, 봄맞이 20% 할인 무료수신거부 080-123-4567"
COLUMNS = {"phone": "휴대폰", "name": "이름", "consent": "수신동의"}
LIMIT_TABLE = "BENCH_LIMIT"


class Campaign:
    """A run of a fresh campaign of tenant ``acme`` on the embedded servers."""

    def __init__(self, store: psycopg.Connection, line: MySQLdb.Connection, run: runs.Run) -> None:
        self.store, self.line, self.run = store, line, run
        self.ring = key_ring(settings().keyring)
        self.chunks: list[int] = []

    @classmethod
    def create(cls, file: Path) -> "Campaign":
        """Write the campaign and begin its run; it has no DAG, so Airflow never sees it."""
        slug = f"bench-{time.time_ns()}"
        spec = CampaignSpec.model_validate(
            {
                "tenant": "acme",
                "slug": slug,
                "title": "benchmark",
                "purpose": "advertising",
                "audience": {
                    "file": str(file),
                    "columns": COLUMNS,
                },
                "message": {"channel": "sms", "sender": "0212345678", "text": TEXT},
            }
        )
        with connect(settings().platform_url) as platform:
            tenant = tenant_id(platform, "acme")
        store = connect(settings().store_url, tenant)
        row = store.execute(
            "INSERT INTO campaigns (tenant_id, slug, title, dag_id, version, shard, activated_at, state) "
            "VALUES (%s, %s, 'benchmark', %s, 1, 0, now(), 'archived') RETURNING campaign_id",
            [tenant, slug, slug],
        ).fetchone()
        assert row is not None
        store.execute(
            "INSERT INTO campaign_versions (campaign_id, version, tenant_id, spec, spec_hash) "
            "VALUES (%s, 1, %s, %s, '')",
            [row[0], tenant, json.dumps(spec.document())],
        )
        store.commit()
        return cls(store, connect_line(settings().line_url), runs.begin(store, row[0], "bench", test_send=False))

    def import_and_freeze(self) -> None:
        import_targets(self.store, self.run, self.ring)
        self.run = runs.load(self.store, self.run.run_id)
        freeze(self.store, self.run)
        self.run = runs.load(self.store, self.run.run_id)
        self.chunks = plan_chunks(self.store, self.run)

    def dispatch(self) -> None:
        for number in self.chunks:
            dispatch_chunk(self.store, self.line, self.run, self.ring, number)

    def load_finished_rows(self) -> None:
        """LOAD DATA of as many rows of the same shape, chunk by chunk, into a table like the queue."""
        row = self.store.execute("SELECT count(*) FROM recipients WHERE run_id = %s", [self.run.run_id]).fetchone()
        self.store.commit()
        left = int(row[0]) if row else 0
        size, text = self.run.spec.delivery.chunk_size, TEXT.replace("{{name|고객}}", "김민준")
        with (
            self.line.cursor() as cursor,
            tempfile.NamedTemporaryFile("w", dir="/dev/shm", encoding="utf-8") as file,
        ):
            file.writelines(f"01012345678\t0212345678\t\\N\t{text}\tS\t1.0.{n}\n" for n in range(min(size, left)))
            file.flush()
            cursor.execute(f"CREATE OR REPLACE TABLE {LIMIT_TABLE} LIKE SMSQ_SEND_1")
            while left > 0:
                cursor.execute(
                    f"LOAD DATA LOCAL INFILE %s INTO TABLE {LIMIT_TABLE} CHARACTER SET utf8mb4 "
                    "(dest_no, call_back, subject, msg_contents, msg_type, app_etc1) "
                    "SET sendreq_time = NOW(), app_etc2 = '1.0.1'",
                    (os.path.realpath(file.name),),
                )
                self.line.commit()
                left -= size

    def collect(self) -> None:
        """Every message delivered, then collected; the agents' part is done beforehand, in one statement a line."""
        collect(self.store, self.line, self.run)

    def read_and_copy(self, owner: psycopg.Connection) -> None:
        """Read recipient, code and moment of every row and COPY them into an unlogged table."""
        self._deliver()
        with owner.transaction(force_rollback=True), self.line.cursor() as cursor:
            owner.execute("CREATE UNLOGGED TABLE bench_receipts (number text, code integer, moment timestamp)")
            with owner.cursor().copy("COPY bench_receipts FROM STDIN") as copy:
                for line_no in self.run.lines:
                    cursor.execute(
                        f"SELECT app_etc1, status_code, repmsg_recvtm FROM SMSQ_SEND_{line_no} WHERE app_etc2 LIKE %s",
                        (f"{self.run.run_id}.%",),
                    )
                    while rows := cursor.fetchmany(10_000):
                        for row in rows:
                            copy.write_row(row)

    def _deliver(self) -> None:
        with self.line.cursor() as cursor:
            for line_no in self.run.lines:
                cursor.execute(
                    f"UPDATE SMSQ_SEND_{line_no} SET status_code = 6, repmsg_recvtm = NOW() "
                    "WHERE app_etc2 LIKE %s AND status_code = 100",
                    (f"{self.run.run_id}.%",),
                )
        self.line.commit()

    def close_books(self) -> None:
        close(self.store, self.run)

    def scan_messages(self) -> None:
        """One sequential scan of the messages of the run's month."""
        self.store.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        self.store.execute(
            "SELECT state, count(*) FROM messages WHERE run_id = %s AND run_at = %s GROUP BY 1",
            [self.run.run_id, self.run.run_at],
        ).fetchall()
        self.store.commit()

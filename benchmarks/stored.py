"""A store as it is after months of use: a tenant's contacts, and finished runs with their messages.

It is a database of its own, made in sets by two workers, and dropped afterwards.
"""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from benchmarks.measure import SEED, Bench
from benchmarks.people import people
from benchmarks.scratch import scratch_database
from include.campaigns import runs
from include.campaigns.definition import content_hash
from include.campaigns.spec import CampaignSpec
from include.contacts.storing import store_contacts
from include.embedded.seed import seed
from include.privacy.cipher import KeyRing
from include.queries import query
from include.reporting.books import close
from include.store import connect
from include.store_migrations import upgrade

RUNS = 20
CHUNK = 10_000
BATCH = 50_000
FIRST_DAY = datetime(2026, 1, 5, 1, tzinfo=UTC)
DAYS_BETWEEN = 9
STAGES = ("guard", "import_targets", "validate_targets", "dedupe_targets", "chunk_recipients", "dispatch")


@dataclass(frozen=True)
class Stored:
    """What was made.

    :ivar tenant: a headquarters with all the contacts that are searched and most of the runs.
    :ivar contacts: how many contacts it has; persons 0 to this.
    :ivar messages: how many messages all runs have together.
    :ivar runs: the finished runs of the tenant and of its branch, by campaign slug.
    :ivar refused: runs that the gate refused, of the same size.
    """

    store_url: str
    ring: KeyRing
    tenant: int
    contacts: int
    messages: int
    runs: dict[str, list[int]]
    refused: list[int]


@dataclass(frozen=True)
class _Job:
    """What a worker does at a time: contacts ``first`` to ``last``, or run number ``first`` with ``last`` people."""

    store_url: str
    keyring: Path
    tenant: int
    first: int
    last: int
    campaign: int | None = None
    refused: bool = False


@contextmanager
def stored(bench: Bench, keyring: Path) -> Iterator[Stored]:
    """The store; 1,000,000 contacts and 10,000,000 messages, a tenth of both when the bench is small."""
    share = 10 if bench.small else 1
    contacts, recipients = 1_000_000 // share, 500_000 // share
    with scratch_database("bench_search") as urls:
        upgrade(urls.owner_url)
        seed(urls.platform_url)
        with connect(urls.platform_url) as platform:
            tenants = _tenants(platform)
            campaigns = {name: _campaign(platform, tenant, name) for name, tenant in tenants.items()}
        own = tenants["acme"]
        jobs = [
            _Job(urls.store_url, keyring, tenant, first, min(first + BATCH, count))
            for tenant, count in zip(tenants.values(), (contacts, contacts // 50, contacts // 50), strict=True)
            for first in range(0, count, BATCH)
        ]
        # of five runs three are the headquarters' own
        turns = [name for name, turns in zip(tenants, (3, 1, 1), strict=True) for _ in range(turns)] * (RUNS // 5)
        jobs += [
            _Job(urls.store_url, keyring, tenants[name], number, recipients, campaigns[name])
            for number, name in enumerate(turns)
        ]
        jobs.append(_Job(urls.store_url, keyring, own, RUNS, recipients, campaigns["acme"], refused=True))
        random.Random(SEED).shuffle(jobs)
        with ProcessPoolExecutor(2) as pool:
            for done, _ in enumerate(pool.map(_work, jobs), 1):
                bench.say(f"  store: {done} of {len(jobs)} parts")
        with psycopg.connect(urls.owner_url, autocommit=True) as owner:
            owner.execute("VACUUM (ANALYZE)")  # which the server does by itself, but later
        with connect(urls.store_url, own) as store:
            finished: dict[str, list[int]] = {}
            for slug, state, run_id in store.execute(query("benchmarks/runs")):
                finished.setdefault(slug if state == "finished" else state, []).append(run_id)
        refused = finished.pop("refused")
        yield Stored(urls.store_url, KeyRing.load(keyring), own, contacts, RUNS * recipients, finished, refused)


def _tenants(platform: psycopg.Connection) -> dict[str, int]:
    """The seeded headquarters, a branch of it, and a stranger; ids by slug."""
    with platform.transaction():
        for slug, parent in (("branch", "acme"), ("stranger", None)):
            values = {"slug": slug, "title": slug, "kind": "branch", "timezone": "Asia/Seoul", "line_group": None}
            platform.execute(query("tenants/add"), {**values, "parent": parent})
    return dict(platform.execute("SELECT slug, tenant_id FROM tenants ORDER BY tenant_id").fetchall())


def _campaign(platform: psycopg.Connection, tenant: int, slug: str) -> int:
    spec = CampaignSpec.model_validate(
        {
            "tenant": slug,
            "slug": slug,
            "title": slug,
            "purpose": "informational",
            "audience": {"file": "people.csv", "columns": {"phone": "휴대폰"}},
            "message": {"channel": "sms", "sender": "0212345678", "text": "안녕하세요"},
            "delivery": {"chunk_size": CHUNK},
        }
    )
    values = {
        "tenant": tenant,
        "slug": slug,
        "state": "archived",
        "spec": json.dumps(spec.document()),
        "content_hash": content_hash(spec.document()),
    }
    with platform.transaction():
        row = platform.execute(query("benchmarks/campaign"), values).fetchone()
    assert row is not None
    return int(row[0])


def _work(job: _Job) -> None:
    """Do one job, as the application."""
    with connect(job.store_url, job.tenant) as store:
        if job.campaign is None:
            store_contacts(store, KeyRing.load(job.keyring), job.tenant, people(job.first, job.last), "upload")
        else:
            _run(store, job.campaign, job.first, job.last, refused=job.refused)


def _run(store: psycopg.Connection, campaign: int, number: int, recipients: int, *, refused: bool) -> None:
    moment = FIRST_DAY + number * timedelta(days=DAYS_BETWEEN)
    run = runs.begin(store, campaign, "bench", f"bench-{number}", test_send=False, now=moment)
    store.execute("UPDATE runs SET state = 'started' WHERE run_id = %s", [run.run_id])
    values = {
        **run.place,
        "run_at": run.run_at,
        "lines": run.lines,
        "recipients": recipients,
        "size": CHUNK,
        "chunks": recipients // CHUNK,
    }
    if refused:
        with store.transaction():
            store.execute(query("benchmarks/run_refused"), values)
        return
    with store.transaction():
        for part in ("chunks", "recipients", "exclusions", "frozen", "messages"):
            store.execute(query(f"benchmarks/run_{part}"), values)
    run = runs.load(store, run.run_id)
    for name in STAGES:
        with runs.stage(store, run, name) as stage:
            stage.counts["rows"] = recipients
    close(store, run)
    runs.set_state(store, run.run_id, "finished")

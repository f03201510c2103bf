"""Puts a definition into force: the campaign, its next version, and who did it.

A version is never changed. Applying the same definition again changes nothing; a changed one takes force
for the runs that begin after it, and nothing that was due before is sent.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from include.campaigns.definition import canonical, content_hash, spec_hash
from include.campaigns.entries import check_entry
from include.campaigns.spec import CampaignSpec
from include.errors import BongsuError
from include.queries import ROOT, query
from include.store import UnknownTenant

DAGS = ROOT / "dags"
CAMPAIGNS_A_LOADER = 100
_LOADER = re.compile(r"campaigns_(\d{2})")


@dataclass(frozen=True)
class Applied:
    """What applying did; ``changed`` is false when this definition was in force already."""

    campaign_id: int
    version: int
    changed: bool
    dag_id: str
    shard: int


def loader_shards(dags: Path = DAGS) -> list[int]:
    """The shards that have a loader ``campaigns_NN.py``, sorted."""
    return sorted(int(found[1]) for file in dags.glob("*.py") if (found := _LOADER.fullmatch(file.stem)))


def apply(store: psycopg.Connection, spec: CampaignSpec, now: datetime) -> Applied:
    """Put ``spec`` into force at ``now``, and commit. A version that cannot be compiled is not committed: whatever
    compiling it raises is raised here, and the campaign stays as it was.

    :param store: a connection of the application role, acting as the spec's tenant or one above it; its session says
        for whom (:func:`include.store.connect`).
    :raises UnknownTenant: the spec's tenant does not exist for this session.
    """
    with store.transaction():
        applied = _put_into_force(store, spec, now)
    store.commit()
    return applied


def _put_into_force(store: psycopg.Connection, spec: CampaignSpec, now: datetime) -> Applied:
    row = store.execute(query("campaigns/tenant"), [spec.tenant]).fetchone()
    if row is None:
        raise UnknownTenant(
            f"tenant: there is no tenant {spec.tenant!r} here. Add it with: bongsu tenant add {spec.tenant}"
        )
    values = {
        "tenant": row[0],
        "slug": spec.slug,
        "title": spec.title,
        "spec": canonical(spec),
        "hash": spec_hash(spec),
        "content_hash": content_hash(spec.document()),
        "now": now,
        "object": spec.dag_id,
    }
    # one at a time for one campaign: the row to lock may not exist yet
    store.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [spec.dag_id])
    found = store.execute(query("campaigns/current"), values).fetchone()
    if found is not None and found[4] == values["hash"]:
        return Applied(found[0], found[1], False, found[3], found[2])
    applied = _create(store, values) if found is None else _revise(store, values, found)
    values |= {"campaign": applied.campaign_id, "version": applied.version}
    store.execute(query("campaigns/keep_version"), values)
    values["action"] = "campaign created" if found is None else "campaign changed"
    values["detail"] = json.dumps({"version": applied.version, "spec_hash": values["hash"]})
    store.execute(query("campaigns/audit"), values)
    check_entry(store, applied.campaign_id, now)
    return applied


def _create(store: psycopg.Connection, values: dict[str, object]) -> Applied:
    shards = loader_shards()
    room = [shards, CAMPAIGNS_A_LOADER]
    free = store.execute("SELECT bongsu.free_shard(%s::smallint[], %s)", room).fetchone()
    if free is None or free[0] is None:
        raise BongsuError(
            f"All {len(shards)} loaders have {CAMPAIGNS_A_LOADER} campaigns. Archive some, or copy dags/"
            f"campaigns_00.py to dags/campaigns_{len(shards):02d}.py."
        )
    row = store.execute(query("campaigns/create"), values | {"shard": free[0]}).fetchone()
    assert row is not None  # INSERT … RETURNING gives its row
    return Applied(row[0], 1, True, row[1], free[0])


def _revise(store: psycopg.Connection, values: dict[str, object], found: tuple[int, int, int, str, str]) -> Applied:
    campaign, version, shard, dag_id, _ = found
    store.execute(query("campaigns/revise"), values | {"campaign": campaign, "version": version + 1})
    return Applied(campaign, version + 1, True, dag_id, shard)

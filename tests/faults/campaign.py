"""The small campaign of a schedule, in the store of a worker: a tenant of its own, so that schedules never meet."""

import time
from datetime import UTC, datetime, timedelta

from include.campaigns.spec import CampaignSpec
from include.privacy.cipher import KeyRing
from include.settings import settings
from include.store import connect
from tests.faults.plan import Plan
from tests.faults.servers import Servers
from tests.faults.tries import Place
from tests.support import AD, put_campaign, write_csv


def new_campaign(servers: Servers, plan: Plan) -> Place:
    """The campaign of ``plan``, with the people who have refused before; its run is begun by the first task."""
    slug, values = f"s{time.time_ns()}", settings()
    file = values.customer_files / "acme" / "people.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_csv(file, ["phone", "name"], plan.rows)
    spec = CampaignSpec.model_validate(
        {
            "tenant": "acme",
            "slug": slug,
            "title": "봄맞이",
            "purpose": "advertising",
            "audience": {"file": str(file), "columns": {"phone": "phone", "name": "name"}},
            "message": {"channel": "sms", "sender": "0212345678", "text": AD},
            "delivery": {"chunk_size": plan.chunk_size},
        }
    )
    tenant = _number(
        servers,
        "INSERT INTO tenants (slug, title, kind, line_group) VALUES (%s, %s, 'branch', 'bulk-1') RETURNING tenant_id",
        slug,
        slug,
    )
    with connect(servers.store_url, tenant) as store:
        campaign = put_campaign(store, tenant, spec)
    ring = KeyRing.load(values.keyring)
    for number in plan.refused_before:
        index = ring.blind_index(plan.rows[number][0])
        servers.admin(
            "INSERT INTO suppressions (tenant_id, phone_index, reason, source, recorded_at) "
            "VALUES (%s, %s, 'opted_out', 'before', now() - interval '40 days') ON CONFLICT DO NOTHING",
            [tenant, index],
        )
    return Place(
        servers.store_url,
        servers.line_url,
        ring,
        tenant,
        campaign,
        spec.dag_id,
        f"manual__{slug}",
        run_after=datetime.now(UTC) - (timedelta(0) if plan.due == "manual" else timedelta(hours=2)),
        run_type={"manual": "manual", "late": "scheduled", "backfill": "backfill"}[plan.due],
    )


def _number(servers: Servers, statement: str, *values: object) -> int:
    (row,) = servers.admin(statement, list(values))
    return int(str(row[0]))

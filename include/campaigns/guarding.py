"""Brings the guard's facts together from the store, and keeps what a person overrode."""

import json
from datetime import datetime

import psycopg
from psycopg.rows import dict_row

from include.campaigns.guard import GuardFacts
from include.campaigns.runs import Run
from include.campaigns.spec import CampaignSpec
from include.campaigns.times import aware
from include.errors import BongsuError
from include.queries import query
from include.settings import Settings


def load_facts(
    store: psycopg.Connection,
    campaign_id: int,
    *,
    now: datetime,
    run_after: datetime,
    run_type: str,
    test_send: bool,
    allow_backfill: bool,
    override_quiet_hours: bool,
    override_reason: str,
    settings: Settings,
) -> GuardFacts:
    """What :func:`include.campaigns.guard.decide` decides upon, for the campaign as it is now."""
    with store.transaction(), store.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("runs/guard_facts"), [campaign_id]).fetchone()
    if row is None:
        raise BongsuError(f"Campaign {campaign_id} is not in the store of this tenant.")
    spec = CampaignSpec.model_validate(row["spec"])
    zone = spec.schedule.timezone or row["timezone"]
    return GuardFacts(
        now=now,
        run_after=run_after,
        run_type=run_type,
        activated_at=row["activated_at"],
        state=row["state"],
        purpose=spec.purpose,
        # people sleep by the tenant's clocks, whatever zone the schedule is written in
        timezone=row["timezone"],
        misfire_minutes=spec.delivery.misfire_minutes or settings.misfire_minutes,
        quiet_hours=settings.quiet_hours,
        valid_from=aware(spec.schedule.valid_from, zone),
        valid_until=aware(spec.schedule.valid_until, zone),
        test_send=test_send,
        has_test_file=spec.audience.test_file is not None,
        allow_backfill=allow_backfill,
        override_quiet_hours=override_quiet_hours,
        override_reason=override_reason,
        kill_switch=row["kill_switch"],
    )


def record_override(store: psycopg.Connection, run: Run, facts: GuardFacts) -> None:
    """Keep in the audit log that a person asked for quiet hours or a backfill to be passed over."""
    overridden = [
        name for name in ("allow_backfill", "override_quiet_hours") if getattr(facts, name) and not facts.test_send
    ]
    if overridden:
        detail = json.dumps({"overridden": overridden, "reason": facts.override_reason}, ensure_ascii=False)
        values = {"tenant": run.tenant_id, "object": run.dag_id, "detail": detail}
        store.execute(query("runs/audit_override"), values)
        store.commit()

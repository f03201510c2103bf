"""The guard and the holds of a run against the store: facts read, decisions written.

A run is born ``deciding``. What is decided, the record of it and what a person overrode are one statement, so a guard
that is killed at any moment has either decided or not, and the next try asks everything again with the same words.
"""

import json
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import dict_row

from include.campaigns import runs
from include.campaigns.guard import CANCELLED, Go, GuardFacts, Hold, HoldFacts, Refusal, decide, decide_hold
from include.campaigns.runs import Run
from include.campaigns.spec import CampaignSpec
from include.campaigns.times import aware
from include.crashpoints import CrashPoint, reach
from include.errors import BongsuError
from include.queries import query
from include.settings import settings

DECIDABLE = ("deciding", "refused")


@dataclass(frozen=True)
class Asked:
    """What a person or a schedule asks of a run.

    :param run_after: when it was due.
    :param run_type: Airflow's word, see :class:`include.campaigns.guard.GuardFacts`.
    """

    run_after: datetime
    run_type: str = "manual"
    test_send: bool = False
    allow_backfill: bool = False
    allow_overlap: bool = False
    override_quiet_hours: bool = False
    override_reason: str = ""


def guard(
    store: psycopg.Connection, campaign_id: int, dag_id: str, dag_run_id: str, asked: Asked
) -> tuple[Run, Go | Refusal]:
    """Begin the run of this DAG run, and decide whether it may go. Safe to repeat and to kill at any moment.

    A run that went before goes on, whatever the time: each of its chunks is asked about again before it leaves.
    """
    run = runs.begin(store, campaign_id, dag_id, dag_run_id, test_send=asked.test_send)
    with store.transaction():
        store.execute(query("runs/guard_lock"), {"campaign": campaign_id})
        state, facts = _guard_facts(store, run, asked)
        decision = _decision(run, state, facts)
        if state in DECIDABLE:
            store.execute(query("runs/decide"), _decided(run, facts, decision))
    reach(CrashPoint.after_decision)
    return runs.load(store, run.run_id), decision


def ask_for_hold(store: psycopg.Connection, run_id: int) -> Hold | None:
    """What holds the run's next chunk back at this moment, if anything does."""
    with store.transaction(), store.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("runs/hold_facts"), {"run": run_id}).fetchone()
    if row is None:
        raise runs.UnknownRun(f"Run {run_id} is not in the store of this tenant.")
    spec = CampaignSpec.model_validate(row.pop("spec"))
    valid_until = aware(spec.schedule.valid_until, spec.schedule.timezone or row["timezone"])
    is_cancelled = row.pop("run_state") in runs.CANCELLED
    facts = HoldFacts(
        **row,
        is_cancelled=is_cancelled,
        purpose=spec.purpose,
        quiet_hours=settings().quiet_hours,
        valid_until=valid_until,
    )
    return decide_hold(facts)


def _guard_facts(store: psycopg.Connection, run: Run, asked: Asked) -> tuple[str, GuardFacts]:
    """The run's state, and what is to be decided upon; by the store's clock, not by the worker's."""
    with store.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("runs/guard_facts"), {"run": run.run_id}).fetchone()
    if row is None:
        raise BongsuError(f"Run {run.run_id} is not in the store of this tenant.")
    spec = CampaignSpec.model_validate(row["spec"])
    zone = spec.schedule.timezone or row["timezone"]
    return row["run_state"], GuardFacts(
        now=row["now"],
        run_after=asked.run_after,
        run_type=asked.run_type,
        activated_at=row["activated_at"],
        state=row["state"],
        purpose=spec.purpose,
        timezone=row["timezone"],
        misfire_minutes=spec.delivery.misfire_minutes or settings().misfire_minutes,
        quiet_hours=settings().quiet_hours,
        valid_from=aware(spec.schedule.valid_from, zone),
        valid_until=aware(spec.schedule.valid_until, zone),
        test_send=run.test_send,
        has_test_file=spec.audience.test_file is not None,
        allow_backfill=asked.allow_backfill,
        override_quiet_hours=asked.override_quiet_hours,
        override_reason=asked.override_reason,
        under_way=row["under_way"],
        allow_overlap=asked.allow_overlap,
        kill_switch=row["kill_switch"],
    )


def _decision(run: Run, state: str, facts: GuardFacts) -> Go | Refusal:
    if state in DECIDABLE:
        return decide(facts)
    if state in runs.CANCELLED:
        return Refusal(CANCELLED, f"Run {run.run_id} was cancelled. Start a new run if it should go out after all.")
    return Go("The run went before; it goes on.")


def _decided(run: Run, facts: GuardFacts, decision: Go | Refusal) -> dict[str, object]:
    """The values of the decision's one statement."""
    detail: dict[str, object] = {"run": run.run_id, "dag_run": run.dag_run_id, "version": run.version}
    if facts.overridden:
        detail |= {"overridden": facts.overridden, "reason": facts.override_reason}
    refusal = None
    if isinstance(decision, Refusal):
        refusal = f"{decision.reason}: {decision.sentence}"
        detail |= {"refused_for": decision.reason}
    return {
        "run": run.run_id,
        "state": "started" if refusal is None else "refused",
        "refusal": refusal,
        "night_reason": facts.night_reason,
        "action": "run started" if refusal is None else "run refused",
        "detail": json.dumps(detail, ensure_ascii=False),
    }

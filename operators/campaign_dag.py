"""The DAG of a campaign: the same shape for every one, built from its manifest entry alone.

Building it reads no file, no database and no clock, so the same entry gives the same serialized bytes
anywhere. The DAG of test sends (:mod:`operators.test_send_dag`) has the same stages.
"""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, CronTriggerTimetable, Param, TriggerRule

# The SDK's own EventsTimetable cannot be serialized in 3.3.2 (KeyError '_summary', apache/airflow#69401).
from airflow.timetables.events import EventsTimetable
from pendulum import DateTime, instance

from include.campaigns.manifest import Entry
from include.settings import settings
from operators.aggregate_results import AggregateResultsOperator, report_asset
from operators.chunk_recipients import ChunkRecipientsOperator
from operators.collect_receipts import CollectReceiptsOperator
from operators.dedupe_targets import DedupeTargetsOperator
from operators.dispatch import DispatchChunkOperator
from operators.guard import GuardOperator
from operators.import_targets import ImportTargetsOperator
from operators.line_pools import pool_of
from operators.retries import TryAgainLater
from operators.validate_targets import ValidateTargetsOperator

# A template and not an XComArg, which would draw an arrow from the guard to every task.
RUN_ID = "{{ ti.xcom_pull(task_ids='guard')['run_id'] }}"

TASK_DOCS = {
    "guard": "Decides whether the run may go (its time, the campaign's window and state, quiet hours, kill switch) and "
    "names the version of the definition for all later tasks. When it may not go, the run fails, with the reason as "
    "its note.",
    "import_targets": "Reads the customer file into the store, encrypted, row by row.",
    "validate_targets": "Checks every row and then the whole file against the gate of the definition. "
    "A failed gate ends the run before anything is sent.",
    "dedupe_targets": "Leaves out repeated numbers, refusals and missing consent, and freezes who will be written to.",
    "chunk_recipients": "Cuts the frozen audience into chunks and deals them to the lines.",
    "dispatch": "Hands one chunk over to its line, exactly once: retrying or clearing it sends nothing twice. At "
    "night, under the kill switch or while the campaign is paused it waits, without holding a worker.",
    "collect_receipts": "Waits for the results, without holding a worker, until every message has one or the window "
    "closes; what is open then is expired. Runs also when a chunk has failed for good.",
    "aggregate_results": "Counts the run, checks that its books close and stores the report.",
}


def build_dag(entry: Entry) -> DAG:
    """The DAG of one manifest entry."""
    dag = DAG(
        dag_id=entry.dag_id,
        dag_display_name=f"{entry.title} ({entry.tenant})",
        description=f"{entry.title}, v{entry.version}",
        doc_md=entry.doc_md,
        schedule=_schedule(entry),
        start_date=_moment(entry.start_date),
        # One planned moment: the run is made even when the scheduler was late, and the guard decides. Without catchup
        # a parse between the moment and the scheduler's next look would lose it without a trace.
        catchup="at" in entry.schedule,
        # a recurring campaign may still wait for receipts of the days before when it is due again
        max_active_runs=16,
        is_paused_upon_creation=True,
        # A DAG whose building fails halfway must not be found; the loader hands over the whole ones.
        auto_register=False,
        default_args=task_defaults(entry.owner, entry.retries, entry.priority),
        params=_form(),
        tags=sorted(entry.tags),
    )
    with dag:
        _tasks(entry)
    return dag


def task_defaults(owner: str, retries: int, priority: int) -> dict[str, Any]:
    """What all tasks of a run have in common."""
    return {
        "owner": owner,
        "retries": retries,
        "retry_delay": timedelta(seconds=settings().retry_seconds),
        "retry_policy": TryAgainLater(retries),
        "priority_weight": priority,
        "weight_rule": "absolute",
    }


def _tasks(entry: Entry) -> None:
    guard = GuardOperator(
        task_id="guard", tenant_id=entry.tenant_id, campaign_id=entry.campaign_id, doc_md=TASK_DOCS["guard"]
    )
    stages(guard, tenant_id=entry.tenant_id, lines=entry.lines, outlet=report_asset(entry.tenant, entry.slug))


def stages(guard: GuardOperator, *, tenant_id: Any, lines: list[int], outlet: Asset | AssetAlias) -> None:
    """All stages of a run after its guard.

    :param tenant_id: the run's tenant, or a template of it.
    :param lines: the lines that the chunks go round, for their pools.
    :param outlet: what a run that was sent makes an event of.
    """

    def named(task_id: str) -> dict[str, Any]:
        return {"task_id": task_id, "doc_md": TASK_DOCS[task_id], "tenant_id": tenant_id, "run_id": RUN_ID}

    imported = ImportTargetsOperator(**named("import_targets"))
    validated = ValidateTargetsOperator(**named("validate_targets"))
    deduped = DedupeTargetsOperator(**named("dedupe_targets"))
    chunked = ChunkRecipientsOperator(**named("chunk_recipients"))
    dispatched = DispatchChunkOperator.partial(
        **named("dispatch"),
        lines=lines,
        # the instances are moved to their own line's pool by operators/line_pools.py
        pool=pool_of(lines[0]),
        map_index_template="{{ chunk_label }}",
    ).expand(chunk_no=chunked.output)
    # One chunk that failed for good leaves the others their receipts and the run its books, which then say what is
    # missing. The chunks' plan stands before both, so that nothing of a refused run is collected or counted.
    after_all = {"trigger_rule": TriggerRule.ALL_DONE_MIN_ONE_SUCCESS}
    collected = CollectReceiptsOperator(**named("collect_receipts"), **after_all)
    aggregated = AggregateResultsOperator(**named("aggregate_results"), **after_all, outlets=[outlet])
    guard >> imported >> validated >> deduped >> chunked >> dispatched >> collected >> aggregated
    chunked >> [collected, aggregated]


def _schedule(entry: Entry) -> EventsTimetable | CronTriggerTimetable | None:
    if "at" in entry.schedule:
        return EventsTimetable(
            [_moment(entry.schedule["at"])],
            description=f"once, {_moment(entry.schedule['at']).in_timezone(entry.timezone):%Y-%m-%d %H:%M %Z}",
        )
    if "cron" in entry.schedule:
        return CronTriggerTimetable(entry.schedule["cron"], timezone=entry.timezone)
    return None


def _moment(value: str) -> DateTime:
    return instance(datetime.fromisoformat(value))


def _form() -> dict[str, Param]:
    """The trigger form: what a person may ask of one run."""
    return {
        "override_quiet_hours": Param(
            False,
            type="boolean",
            title="Send in quiet hours",
            description="Advertising does not start at night. Needs a reason and is kept in the audit log.",
            section="Exceptions",
        ),
        # null is allowed because Airflow's form takes an empty text for a missing one and cannot be sent with it
        "override_reason": Param(
            None,
            type=["null", "string"],
            maxLength=500,
            title="Reason",
            description="Why this run goes out in quiet hours.",
            section="Exceptions",
        ),
        "allow_backfill": Param(
            False,
            type="boolean",
            title="Allow a backfill to send",
            description="A backfill sends now what was due in the past; without this it sends nothing.",
            section="Exceptions",
        ),
        "allow_overlap": Param(
            False,
            type="boolean",
            title="Send beside another run",
            description="While a run of this campaign still hands over, another one is refused: it would write to the "
            "same people twice.",
            section="Exceptions",
        ),
    }

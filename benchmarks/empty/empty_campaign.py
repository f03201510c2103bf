"""The DAG of a campaign with the same tasks, arrows, pools and retries, whose operators do nothing."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, BaseOperator, Context, Param
from airflow.triggers.testing import SuccessTrigger

from include.settings import settings
from include.taxonomy import RETRIES
from operators.line_pools import pool_of
from operators.retries import TryAgainLater


class NothingOperator(BaseOperator):
    """Returns what the stage of the same name returns, without doing anything."""

    def execute(self, context: Context) -> list[int] | dict[str, int]:
        return [1] if self.task_id == "chunk_recipients" else {"rows": 10}


class NoChunkOperator(BaseOperator):
    """A mapped task that does nothing."""

    def __init__(self, *, chunk_no: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chunk_no = chunk_no

    def execute(self, context: Context) -> dict[str, int]:
        return {"accepted": 10}


class NoWaitOperator(BaseOperator):
    """Defers once, to a trigger that fires at once, when the run asks for it."""

    def execute(self, context: Context, event: object = None) -> dict[str, int]:
        if event is None and context["params"]["defer"]:
            trigger = SuccessTrigger()  # type: ignore[no-untyped-call]  # untyped in Airflow
            self.defer(trigger=trigger, method_name="execute", timeout=timedelta(minutes=10))
        return {"settled": 10}


with DAG(
    dag_id="bench_empty_campaign",
    schedule=None,
    max_active_runs=16,
    params={"defer": Param(True, type="boolean")},
    default_args={
        "retries": RETRIES,
        "retry_delay": timedelta(seconds=settings().retry_seconds),
        "retry_policy": TryAgainLater(),
        "priority_weight": 1,
        "weight_rule": "absolute",
    },
):
    guard = NothingOperator(task_id="guard")
    imported = NothingOperator(task_id="import_targets")
    validated = NothingOperator(task_id="validate_targets")
    deduped = NothingOperator(task_id="dedupe_targets")
    chunked = NothingOperator(task_id="chunk_recipients")
    dispatched = NoChunkOperator.partial(task_id="dispatch", pool=pool_of(1)).expand(chunk_no=chunked.output)
    collected = NoWaitOperator(task_id="collect_receipts")
    aggregated = NothingOperator(task_id="aggregate_results", outlets=[Asset("bongsu://bench/empty")])
    guard >> imported >> validated >> deduped >> chunked >> dispatched >> collected >> aggregated

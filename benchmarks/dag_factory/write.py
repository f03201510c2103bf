"""Writes the campaigns of the manifests into FOLDER as a user of dag-factory would.

``python -m benchmarks.dag_factory.write FOLDER``, in a process of its own because it imports Airflow.

What all campaigns share stands in the file's ``default`` block, as its documentation advises; that is faster, too.
"""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from include.campaigns.manifest import Entry, read_manifest
from include.settings import settings
from operators.aggregate_results import report_asset
from operators.campaign_dag import RUN_ID, TASK_DOCS, build_dag
from operators.line_pools import pool_of

LOADER = '''"""A loader of dag-factory for Airflow: the DAGs of the YAML file beside it."""

from pathlib import Path

from dagfactory import load_yaml_dags

load_yaml_dags(globals_dict=globals(), config_filepath=str(Path(__file__).with_suffix(".yaml")))
'''
OPERATORS = {
    "guard": "operators.guard.GuardOperator",
    "import_targets": "operators.import_targets.ImportTargetsOperator",
    "validate_targets": "operators.validate_targets.ValidateTargetsOperator",
    "dedupe_targets": "operators.dedupe_targets.DedupeTargetsOperator",
    "chunk_recipients": "operators.chunk_recipients.ChunkRecipientsOperator",
    "dispatch": "operators.dispatch.DispatchChunkOperator",
    "collect_receipts": "operators.collect_receipts.CollectReceiptsOperator",
    "aggregate_results": "operators.aggregate_results.AggregateResultsOperator",
}


def document(entries: list[Entry]) -> dict[str, Any]:
    """The YAML document of a shard."""
    return {"default": _shared(entries[0]), **{entry.dag_id: _campaign(entry) for entry in entries}}


def _shared(entry: Entry) -> dict[str, Any]:
    """What is the same in every campaign, the trigger form included."""
    dag = build_dag(entry)
    form = {
        name: {"__type__": "airflow.sdk.Param", "default": param.value, "description": param.description} | param.schema
        for name, param in ((name, dag.params.get_param(name)) for name in dag.params)
    }
    tasks: dict[str, dict[str, Any]] = {}
    before: list[str] = []
    for name, operator in OPERATORS.items():
        tasks[name] = {"operator": operator, "doc_md": TASK_DOCS[name], "dependencies": before}
        if before:
            tasks[name]["run_id"] = RUN_ID
        before = [name]
    tasks["dispatch"] |= {
        "map_index_template": "{{ chunk_label }}",
        "expand": {"chunk_no": "chunk_recipients.output"},
    }
    for name, before_it in (("collect_receipts", "dispatch"), ("aggregate_results", "collect_receipts")):
        after_all = {"trigger_rule": "all_done_min_one_success", "dependencies": [before_it, "chunk_recipients"]}
        tasks[name] |= after_all
    return {
        "max_active_runs": dag.max_active_runs,
        "is_paused_upon_creation": True,
        "default_args": {
            "retries": entry.retries,
            "retry_delay": {"__type__": "datetime.timedelta", "seconds": settings().retry_seconds},
            "retry_policy": {"__type__": "operators.retries.TryAgainLater", "retries": entry.retries},
            "weight_rule": "absolute",
        },
        "params": form,
        "tasks": tasks,
    }


def _campaign(entry: Entry) -> dict[str, Any]:
    """What is a campaign's own."""
    tasks: dict[str, dict[str, Any]] = {name: {"tenant_id": entry.tenant_id} for name in OPERATORS}
    tasks["guard"]["campaign_id"] = entry.campaign_id
    tasks["dispatch"] |= {"lines": entry.lines, "pool": pool_of(entry.lines[0])}
    asset = report_asset(entry.tenant, entry.slug)
    tasks["aggregate_results"]["outlets"] = [{"__type__": "airflow.sdk.Asset", "uri": asset.uri, "name": asset.name}]
    return {
        "dag_display_name": f"{entry.title} ({entry.tenant})",
        "description": f"{entry.title}, v{entry.version}",
        "doc_md": entry.doc_md,
        "schedule": _schedule(entry),
        "start_date": datetime.fromisoformat(entry.start_date),
        "catchup": "at" in entry.schedule,
        "tags": sorted(entry.tags),
        "default_args": {"owner": entry.owner, "priority_weight": entry.priority},
        "tasks": tasks,
    }


def _schedule(entry: Entry) -> dict[str, Any] | None:
    if "at" in entry.schedule:
        moment = datetime.fromisoformat(entry.schedule["at"])
        return {
            "__type__": "airflow.timetables.events.EventsTimetable",
            "event_dates": [moment],
            "description": f"once, {moment.astimezone(ZoneInfo(entry.timezone)):%Y-%m-%d %H:%M %Z}",
        }
    if "cron" in entry.schedule:
        return {
            "__type__": "airflow.sdk.CronTriggerTimetable",
            "__args__": [entry.schedule["cron"]],
            "timezone": entry.timezone,
        }
    return None


def main() -> None:
    """Each manifest that has campaigns becomes a YAML file with a loader beside it."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    for manifest in sorted(settings().manifests.glob("campaigns_*.json")):
        if entries := read_manifest(manifest):
            loader = folder / f"{manifest.stem}.py"
            loader.write_text(LOADER, encoding="utf-8")
            text = yaml.dump(document(entries), allow_unicode=True, sort_keys=False)
            loader.with_suffix(".yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

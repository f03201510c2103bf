"""Governance over every generated DAG, its shape, and what the scheduler makes of its schedule."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DagRunInfo, DataInterval
from pendulum import instance

from include.campaigns.guard import Go, GuardFacts, Refusal, decide
from include.campaigns.manifest import Entry
from include.taxonomy import RETRIES
from operators.campaign_dag import build_dag
from operators.retries import TryAgainLater
from tests.dags.conftest import make, twenty

STAGES = [
    "guard",
    "import_targets",
    "validate_targets",
    "dedupe_targets",
    "chunk_recipients",
    "dispatch",
    "collect_receipts",
    "aggregate_results",
]
PRIORITY = {"authentication": 30, "informational": 20, "advertising": 10}
SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture(params=twenty(), ids=lambda entry: entry.dag_id)
def entry(request: pytest.FixtureRequest) -> Entry:
    made: Entry = request.param
    return made


@pytest.fixture
def dag(entry: Entry) -> DAG:
    return build_dag(entry)


def purpose_of(entry: Entry) -> str:
    """As the list of DAGs can be filtered by it."""
    (purpose,) = (tag.removeprefix("purpose:") for tag in entry.tags if tag.startswith("purpose:"))
    assert purpose in PRIORITY
    return purpose


def test_its_id_is_stable(dag: DAG, entry: Entry) -> None:
    assert dag.dag_id == f"campaign__{entry.tenant}__{entry.slug}"
    assert build_dag(make(entry.slug, tenant=entry.tenant, version=9)).dag_id == dag.dag_id


def test_ids_are_unique() -> None:
    ids = [entry.dag_id for entry in twenty()]
    assert len(set(ids)) == len(ids) == 20


def test_it_has_an_owner_and_tags(dag: DAG, entry: Entry) -> None:
    assert dag.owner == entry.tenant
    assert dag.tags == {f"tenant:{entry.tenant}", "channel:sms", f"purpose:{purpose_of(entry)}"}


def test_it_says_what_it_does(dag: DAG, entry: Entry) -> None:
    assert dag.doc_md is not None
    assert "0212345678" in dag.doc_md
    assert rf"{entry.slug}\.csv" in dag.doc_md
    assert f"v{entry.version}" in (dag.description or "")
    for task in dag.tasks:
        assert task.doc_md, task.task_id


def test_nothing_starts_by_itself_when_it_appears(dag: DAG, entry: Entry) -> None:
    assert dag.is_paused_upon_creation is True
    assert dag.max_active_runs == 16
    assert dag.start_date == datetime.fromisoformat(entry.start_date)
    # one planned moment is never forgotten; of repeated ones no more than the latest is run
    assert dag.catchup is ("at" in entry.schedule)


def test_its_schedule_is_in_the_campaigns_time_zone(dag: DAG, entry: Entry) -> None:
    core = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    zone = getattr(core.timetable, "_timezone", None)
    if "cron" in entry.schedule:
        assert str(getattr(zone, "name", zone)) == entry.timezone
    else:
        assert zone is None


def test_it_has_the_stages_in_order_and_no_other_arrow(dag: DAG) -> None:
    assert list(dag.task_ids) == STAGES
    following = [*STAGES[1:], None]
    for task, after in zip(STAGES, following, strict=True):
        further = {"collect_receipts", "aggregate_results"} if task == "chunk_recipients" else set()
        assert dag.get_task(task).downstream_task_ids == ({after} if after else set()) | further


def test_receipts_and_books_come_also_when_a_chunk_has_failed_for_good(dag: DAG) -> None:
    rules = {task.task_id: task.trigger_rule for task in dag.tasks}
    after_all = {"collect_receipts": "all_done_min_one_success", "aggregate_results": "all_done_min_one_success"}
    assert rules == dict.fromkeys(STAGES, "all_success") | after_all


def test_every_task_has_retries_priority_and_a_pool(dag: DAG, entry: Entry) -> None:
    priority = PRIORITY[purpose_of(entry)]
    for task in dag.tasks:
        values = getattr(task, "partial_kwargs", vars(task))
        policy = task.retry_policy if task.task_id != "dispatch" else values["retry_policy"]
        assert (task.owner, task.retries, policy) == (entry.tenant, RETRIES, TryAgainLater(RETRIES)), task.task_id
        assert task.retry_delay >= timedelta(seconds=10), task.task_id
        assert task.priority_weight == priority, task.task_id
        assert type(task.weight_rule).__name__ == "_AbsolutePriorityWeightStrategy" or task.weight_rule == "absolute"
        pool = f"sms_line_{entry.lines[0]}" if task.task_id == "dispatch" else "default_pool"
        assert task.pool == pool, task.task_id


def test_only_the_dispatch_is_mapped_over_chunk_numbers_with_readable_names(dag: DAG) -> None:
    assert [task.task_id for task in dag.tasks if task.is_mapped] == ["dispatch"]
    dispatch: Any = dag.get_task("dispatch")
    assert dispatch.partial_kwargs["map_index_template"] == "{{ chunk_label }}"
    assert list(dispatch.expand_input.value) == ["chunk_no"]


def test_the_report_is_an_asset(dag: DAG, entry: Entry) -> None:
    outlets = {task.task_id: [asset.uri for asset in task.outlets] for task in dag.tasks if task.outlets}
    assert outlets == {"aggregate_results": [f"bongsu://report/{entry.tenant}/{entry.slug}"]}


def test_every_field_of_the_trigger_form_is_explained(dag: DAG) -> None:
    assert list(dag.params) == ["override_quiet_hours", "override_reason", "allow_backfill", "allow_overlap"]
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.description, name
        assert param.schema["title"], name
        assert param.schema["section"], name


class TestATimeThatHasPassed:
    """Creating, editing and unpausing: either the scheduler makes no run, or the guard stops the run it makes."""

    now = datetime.now(UTC).replace(second=0, microsecond=0)
    hour_ago = now - timedelta(hours=1)

    def next_run(self, entry: Entry, last: datetime | None = None) -> datetime | None:
        """When Airflow would start the next run, asked now."""
        core = DagSerialization.from_dict(DagSerialization.to_dict(build_dag(entry)))
        before = None
        if last is not None:
            before = DagRunInfo(run_after=instance(last), data_interval=DataInterval.exact(instance(last)))
        info = core.next_dagrun_info(last_automated_run_info=before)
        return None if info is None else info.run_after

    def decision(self, entry: Entry, due: datetime) -> Go | Refusal:
        return decide(
            GuardFacts(
                now=self.now,
                run_after=due,
                run_type="scheduled",
                activated_at=datetime.fromisoformat(entry.start_date),
                state="live",
                purpose="advertising",
                timezone=entry.timezone,
                misfire_minutes=5,
                quiet_hours="off",
            )
        )

    def every_day_at(self, moment: datetime, *, activated_at: datetime) -> Entry:
        return make("x", schedule={"daily": f"{moment.astimezone(SEOUL):%H:%M}"}, activated_at=activated_at)

    def once_at(self, moment: datetime, *, activated_at: datetime) -> Entry:
        return make("x", schedule={"at": moment.isoformat()}, activated_at=activated_at)

    def test_created_after_its_daily_time(self) -> None:
        due = self.next_run(self.every_day_at(self.hour_ago, activated_at=self.now))
        assert due == self.hour_ago + timedelta(days=1)

    def test_edited_after_its_daily_time(self) -> None:
        entry = self.every_day_at(self.hour_ago, activated_at=self.now)
        due = self.next_run(entry, last=self.hour_ago - timedelta(days=1))
        assert due == self.hour_ago + timedelta(days=1)

    def test_unpaused_after_its_daily_time(self) -> None:
        entry = self.every_day_at(self.hour_ago, activated_at=self.now - timedelta(days=10))
        due = self.next_run(entry)
        # Airflow fires the missed tick at once in spite of catchup=False, which is what the guard is for
        assert due == self.hour_ago
        decision = self.decision(entry, due)
        assert isinstance(decision, Refusal)
        assert decision.reason == "misfire"

    def test_created_after_its_only_moment(self) -> None:
        assert self.next_run(self.once_at(self.hour_ago, activated_at=self.now)) is None

    def test_unpaused_after_its_only_moment(self) -> None:
        entry = self.once_at(self.hour_ago, activated_at=self.now - timedelta(days=1))
        due = self.next_run(entry)
        assert due == self.hour_ago
        assert isinstance(self.decision(entry, due), Refusal)

    def test_a_scheduler_that_is_late_by_a_minute_forgets_no_moment(self) -> None:
        moment = self.now - timedelta(minutes=1)
        entry = self.once_at(moment, activated_at=self.now - timedelta(days=1))
        due = self.next_run(entry)
        assert due == moment
        assert isinstance(self.decision(entry, due), Go)

    def test_a_moment_that_was_run_is_not_run_again(self) -> None:
        entry = self.once_at(self.hour_ago, activated_at=self.now - timedelta(days=1))
        assert self.next_run(entry, last=self.hour_ago) is None

    def test_a_run_of_the_version_before_is_stopped_when_the_edit_comes_first(self) -> None:
        """The scheduler may have made the run just before the edit came into force."""
        entry = self.every_day_at(self.hour_ago, activated_at=self.now)
        decision = self.decision(entry, self.now - timedelta(minutes=1))
        assert isinstance(decision, Refusal)
        assert decision.reason == "before_activation"

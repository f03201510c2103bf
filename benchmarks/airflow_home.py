"""The Airflow of the benchmarks' home: the embedded one, raised as a command raises it, with one more folder of DAGs,
:mod:`benchmarks.empty`.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.campaign import COLUMNS, TEXT
from benchmarks.measure import SEED, Bench
from include.campaigns import runs
from include.cli.airflow_api import Airflow
from include.cli.applying import apply_file
from include.cli.run_flow import ENDED, order, wait_for_dag
from include.cli.store import tenant_store
from include.embedded.client import board_of, ensure, stop_all, this_home
from include.embedded.state import Home, Level
from sandbox.customers import generate

TENANT = "acme"
LONGEST_RUN = 600.0
LOOK_SECONDS = 0.5
EMPTY = Path(__file__).parent / "empty"
BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


class RunFailed(Exception):
    """A run of a benchmark did not end well; names the tasks and the end of their logs."""


@dataclass(frozen=True)
class TaskTime:
    """One task instance of a run, in seconds since the run was triggered."""

    id: str
    task_id: str
    map_index: int
    queued: float
    started: float
    ended: float

    @property
    def resumed(self) -> bool:
        """Whether it deferred: it was queued again after it had started."""
        return self.queued > self.started


@dataclass(frozen=True)
class Course:
    """A run that has ended well.

    :ivar seconds: from the trigger to the end of the last task.
    :ivar certified: from the trigger to the certificate in the store; ``None`` when the DAG is not a campaign's.
    :ivar stages: seconds by stage as the store has them.
    :ivar rows: rows of its customer file.
    """

    seconds: float
    certified: float | None
    stages: Mapping[str, float]
    rows: int
    tasks: list[TaskTime] = field(repr=False)


@dataclass
class OwnAirflow:
    """The running Airflow, its databases and its agents."""

    home: Home
    api: Airflow
    ten: str = ""
    """The DAG of a campaign of ten people."""

    @property
    def scheduler(self) -> int:
        """The scheduler's process; with the local executor every task runs below it."""
        return int(board_of(self.home)["services"]["airflow-scheduler"]["pid"])

    def apply(self, slug: str, customers: Path, folder: Path) -> str:
        """Put a campaign over a customer file into force and wait for its DAG; the DAG's id."""
        definition = {
            "tenant": TENANT,
            "slug": slug,
            "title": slug,
            "purpose": "advertising",
            "audience": {"file": str(customers), "columns": COLUMNS},
            "message": {"channel": "sms", "sender": "0212345678", "text": TEXT},
        }
        file = folder / f"{slug}.yaml"
        file.write_text(json.dumps(definition, ensure_ascii=False), encoding="utf-8")
        applied = apply_file(file)
        wait_for_dag(self.api, order(applied))
        return applied.dag_id

    def warm_up(self, folder: Path) -> None:
        """Run a campaign of ten people, unmeasured: the first tasks meet an Airflow that is still importing."""
        customers = folder / "ten.csv"
        generate(customers, 10, SEED, dirt=False)
        self.ten = self.apply("bench-ten", customers, folder)
        self.run(self.ten)

    def run(self, dag_id: str, **params: object) -> Course:
        """Trigger a run and wait until it has ended.

        :raises RunFailed: it did not end well.
        """
        self.api.unpause(dag_id)
        dag_run_id = f"bench-{time.time_ns()}"
        self.api.start(dag_id, dag_run_id, params)
        limit = time.monotonic() + LONGEST_RUN
        while (state := self.api.run_state(dag_id, dag_run_id)) not in ENDED:
            if time.monotonic() > limit:
                raise RunFailed(f"{dag_id} was still {state} after {LONGEST_RUN:.0f} s")
            time.sleep(LOOK_SECONDS)
        if state != "success":
            raise RunFailed(f"{dag_id} ended with {state}\n" + "\n".join(self._failures(dag_id, dag_run_id)))
        return self._course(dag_id, dag_run_id)

    def has(self, dag_id: str) -> bool:
        """Whether Airflow knows the DAG."""
        return self.api.dag(dag_id) is not None

    def _course(self, dag_id: str, dag_run_id: str) -> Course:
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(dag_run_id)}"
        triggered = datetime.fromisoformat(self.api.call("GET", path)["queued_at"])

        def after(value: str | None) -> float:
            return (datetime.fromisoformat(value) - triggered).total_seconds() if value else 0.0

        found: list[dict[str, Any]] = []
        while True:
            answer = self.api.call("GET", f"{path}/taskInstances", params={"limit": 100, "offset": len(found)})
            found += answer["task_instances"]
            if len(found) >= answer["total_entries"]:
                break
        tasks = [
            TaskTime(
                one["id"],
                one["task_id"],
                one["map_index"],
                after(one["queued_when"]),
                after(one["start_date"]),
                after(one["end_date"]),
            )
            for one in found
        ]
        certified, stages, rows = None, dict[str, float](), 0
        with tenant_store(TENANT) as (store, _):
            # the stage is recorded right after the certificate, by the server's clock
            row = store.execute(
                "SELECT run_id, t.rows_read, s.finished_at FROM runs JOIN report_runs t USING (run_id) "
                "JOIN run_stages s USING (run_id) WHERE dag_run_id = %s AND stage = 'aggregate_results'",
                [dag_run_id],
            ).fetchone()
            if row is not None:
                stages, rows = runs.stages(store, row[0]), int(row[1])
                certified = (row[2] - triggered).total_seconds()
        return Course(max(task.ended for task in tasks), certified, stages, rows, tasks)

    def _failures(self, dag_id: str, dag_run_id: str) -> Iterator[str]:
        for task in self.api.tasks(dag_id, dag_run_id):
            if task.state == "failed":
                yield f"{task.task_id} {task.name}"
                yield from self.api.log(dag_id, dag_run_id, task, 25)


def own_airflow(bench: Bench) -> OwnAirflow:
    """Airflow, warmed up; it stays up as long as the rows that follow ask for it, too."""
    found = bench.kept.get("airflow")
    if found is None:
        home = this_home()
        _add_empty_dags(home)
        values = bench.shared.enter_context(ensure(Level.all, bench.say)).environment
        bench.shared.callback(stop_all, home)
        api = Airflow(values["BONGSU_AIRFLOW_URL"], values["BONGSU_AIRFLOW_USER"], values["BONGSU_AIRFLOW_PASSWORD"])
        bench.shared.callback(api.http.close)
        found = OwnAirflow(home, api)
        bench.kept["airflow"] = found
        bench.shared.callback(bench.kept.pop, "airflow")
        found.warm_up(bench.folder)
    assert isinstance(found, OwnAirflow)
    return found


def _add_empty_dags(home: Home) -> None:
    """The second folder of DAGs, in Airflow's own configuration file: the embedded settings know nothing of it."""
    bundles = [
        {"name": "dags-folder", "classpath": BUNDLE, "kwargs": {}},
        {"name": "empty", "classpath": BUNDLE, "kwargs": {"path": str(EMPTY)}},
    ]
    file = home.path / "airflow" / "airflow.cfg"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[dag_processor]\ndag_bundle_config_list = {json.dumps(bundles)}\n", encoding="utf-8")

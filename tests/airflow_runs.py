"""A running Airflow for the tests: campaigns applied as a user applies them; runs started, watched, cleared, killed."""

import csv
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from include.cli.airflow_api import Airflow, Task
from include.cli.applying import Applied, apply_all, apply_file, ask_for_parse
from include.cli.run_flow import ENDED, order, wait_for_dag
from include.embedded.client import ensure
from include.embedded.state import Level
from include.queries import ROOT
from include.settings import settings
from tests.held_services import Handed, HeldServices
from tests.support import AD, Databases

LONGEST_RUN = 600.0
TASKS = (
    "guard",
    "import_targets",
    "validate_targets",
    "dedupe_targets",
    "chunk_recipients",
    "dispatch",
    "collect_receipts",
    "aggregate_results",
)
_serial = itertools.count(1)


def until(what: str, ready: Callable[[], Any], seconds: float = 300.0, pause: float = 0.2) -> Any:
    """The first true answer of ``ready``; fails naming ``what`` when it does not come."""
    limit = time.monotonic() + seconds
    while not (answer := ready()):
        assert time.monotonic() < limit, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause)
    return answer


@dataclass(frozen=True)
class Started:
    """A run in Airflow."""

    airflow: "RunningAirflow"
    dag_id: str
    dag_run_id: str

    @property
    def path(self) -> str:
        return f"/api/v2/dags/{quote(self.dag_id)}/dagRuns/{quote(self.dag_run_id)}"

    @property
    def run_id(self) -> int:
        """The run's number in the store."""
        return int(self.airflow.value("SELECT run_id FROM runs WHERE dag_run_id = %s", self.dag_run_id))

    def state(self) -> str:
        return self.airflow.api.run_state(self.dag_id, self.dag_run_id)

    def tasks(self, task_id: str | None = None) -> list[Task]:
        """Its task instances; mapped ones in the order of their chunks."""
        found = self.airflow.api.tasks(self.dag_id, self.dag_run_id)
        return sorted(
            (task for task in found if task_id in (None, task.task_id)), key=lambda task: (task.task_id, task.map_index)
        )

    def states(self, task_id: str) -> list[str]:
        """The states of a task; of a mapped one, in the order of its chunks."""
        return [task.state for task in self.tasks(task_id)]

    def instances(self) -> list[dict[str, Any]]:
        """Its task instances with all that Airflow knows of them."""
        answer = self.airflow.api.call("GET", f"{self.path}/taskInstances", params={"limit": 100})
        return list(answer["task_instances"])

    def wait(self, expected: str = "success", seconds: float = LONGEST_RUN) -> "Started":
        """Wait until it has ended; fails with the logs of the failed tasks when it ended otherwise than expected."""
        state = until(
            f"the end of {self.dag_run_id}: {self._where()}", lambda: (s := self.state()) in ENDED and s, seconds
        )
        assert state == expected, f"{state}\n{self._logs()}"
        return self

    def _where(self) -> str:
        return ", ".join(f"{task.task_id}[{task.map_index}] {task.state}" for task in self.tasks())

    def _logs(self) -> str:
        failed = [task for task in self.tasks() if task.state in ("failed", "up_for_retry")]
        ends = (self.airflow.api.log(self.dag_id, self.dag_run_id, task, 25) for task in failed[:2])
        return "\n".join("\n".join(end) for end in ends) or self._where()

    def clear(self, *task_ids: str) -> None:
        """Clear tasks and nothing after them; without names, the whole run."""
        path = f"{self.path}/clear"
        body: dict[str, Any] = {"dry_run": False, "only_failed": False}
        if task_ids:
            path = f"/api/v2/dags/{quote(self.dag_id)}/clearTaskInstances"
            body |= {"dag_run_id": self.dag_run_id, "task_ids": list(task_ids), "reset_dag_runs": True}
        assert self.airflow.api.call("POST", path, json=body) is not None

    def note(self) -> str | None:
        """The note on Airflow's run."""
        answer = self.airflow.api.call("GET", self.path)
        return str(answer["note"]) if answer["note"] else None

    def log(self, task: Task) -> list[str]:
        """All of a task's log."""
        return self.airflow.api.log(self.dag_id, self.dag_run_id, task, 10_000)

    def handed(self) -> Handed:
        """What the carrier was given."""
        return self.airflow.handed(self.run_id)

    def row(self) -> dict[str, Any]:
        """The run's row in the store, and the totals and the certificate that were made of it."""
        with self.airflow.store() as store:
            found = store.execute(
                "SELECT to_jsonb(r), to_jsonb(t), to_jsonb(c) FROM runs r LEFT JOIN report_runs t USING (run_id) "
                "LEFT JOIN certificates c ON c.run_id = r.run_id "
                "WHERE dag_run_id = %s ORDER BY certificate_id DESC NULLS LAST LIMIT 1",
                [self.dag_run_id],
            ).fetchone()
        assert found is not None, f"the store has no run {self.dag_run_id}"
        return {**found[0], "totals": found[1], "certificate": found[2]}


@dataclass
class RunningAirflow(HeldServices):
    """Airflow above the databases and the agents of the tests' home."""

    api: Airflow
    folder: Path
    environment: Mapping[str, str] = field(repr=False)

    def define(
        self,
        slug: str,
        rows: int | Path | Sequence[Sequence[object]],
        *,
        text: str = AD,
        chunk_size: int = 100,
        title: str = "",
        folder: Path | None = None,
        testers: int = 0,
        **parts: Any,
    ) -> Path:
        """A definition over a file, over rows of (phone, name), or over so many good rows; written as JSON, which is
        YAML.
        """
        place = folder or self.folder
        if isinstance(rows, int):
            start = next(_serial) * 10_000
            rows = [(f"010{74_000_000 + start + n:08d}", "김철수") for n in range(rows)]
        if isinstance(rows, Path):
            audience = rows
        else:
            audience = place / f"{slug}.csv"
            with audience.open("w", encoding="utf-8", newline="") as out:
                csv.writer(out).writerows([("phone", "name"), *rows])
        people: dict[str, Any] = {"file": str(audience), "columns": {"phone": "phone", "name": "name"}}
        if testers:
            people["test_file"] = str(place / f"{slug}-testers.csv")
            with Path(people["test_file"]).open("w", encoding="utf-8", newline="") as out:
                own = ((f"010{79_000_000 + n:08d}", "시험자") for n in range(testers))
                csv.writer(out).writerows([("phone", "name"), *own])
        document = {
            "tenant": "acme",
            "slug": slug,
            "title": title or f"시험 {slug}",
            "purpose": "advertising",
            "audience": people,
            "message": {"channel": "sms", "sender": "0212345678", "text": text},
            "delivery": {"chunk_size": chunk_size},
        } | parts
        file = place / f"{slug}.yaml"
        file.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
        return file

    def apply(self, file: Path) -> Applied:
        """Put a definition into force and wait until Airflow has its DAG."""
        with self.acting():
            applied = apply_file(file)
            wait_for_dag(self.api, order(applied))
        return applied

    def apply_many(self, files: Sequence[Path]) -> list[Applied]:
        """Put definitions into force, broken ones too, as ``bongsu apply`` does."""
        with self.acting():
            applied, _ = apply_all(files)
            ask_for_parse(applied)
        return applied

    def start(self, campaign: Applied | Path, **conf: Any) -> Started:
        """Apply if need be, unpause, and start a run."""
        applied = self.apply(campaign) if isinstance(campaign, Path) else campaign
        self.api.unpause(applied.dag_id)
        dag_run_id = f"test-{next(_serial)}"
        self.api.start(applied.dag_id, f"{dag_run_id}-{applied.slug}", conf)
        return Started(self, applied.dag_id, f"{dag_run_id}-{applied.slug}")

    def start_test(self, campaign: Applied | Path) -> Started:
        """Apply if need be, and start a test send, by the form that all campaigns have."""
        applied = self.apply(campaign) if isinstance(campaign, Path) else campaign
        wanted = order(applied, test_send=True)
        wait_for_dag(self.api, wanted)
        self.api.start(wanted.dag_id, wanted.dag_run_id, wanted.conf)
        return Started(self, wanted.dag_id, wanted.dag_run_id)

    def runs_of(self, dag_id: str) -> list[Started]:
        """The runs that Airflow has of a DAG."""
        answer = self.api.call("GET", f"/api/v2/dags/{quote(dag_id)}/dagRuns", params={"limit": 50})
        return [Started(self, dag_id, run["dag_run_id"]) for run in answer["dag_runs"]]

    def dags(self) -> set[str]:
        """The DAGs that are not stale."""
        found: set[str] = set()
        while True:
            answer = self.api.call("GET", "/api/v2/dags", params={"limit": 100, "offset": len(found)})
            found |= {dag["dag_id"] for dag in answer["dags"] if not dag["is_stale"]}
            if not answer["dags"] or len(found) >= answer["total_entries"]:
                return found

    def reparse(self, campaign: Applied) -> None:
        """Have the campaign's loader parsed now."""
        self.api.reparse(self.api.dag(campaign.dag_id), campaign.dag_file)

    def look_again(self, campaign: Applied) -> None:
        """Have the campaign's loader parsed and wait for it."""

        def parsed_at() -> str:
            return str((self.api.dag(campaign.dag_id) or {})["last_parsed_time"])

        before = parsed_at()
        self.reparse(campaign)
        until("another look at the loader", lambda: parsed_at() > before)

    def import_errors(self) -> dict[str, str]:
        """Airflow's import errors by file name."""
        answer = self.api.call("GET", "/api/v2/importErrors", params={"limit": 100})
        return {Path(error["filename"]).name: error["stack_trace"] for error in answer["import_errors"]}

    def bongsu(self, *arguments: str | Path, timeout: float = LONGEST_RUN) -> subprocess.CompletedProcess[str]:
        """The command line, in a process of its own, over this home."""
        return subprocess.run(
            [sys.executable, "-m", "include.cli", *map(str, arguments)],
            env={**os.environ, **self._ours(), "PYTHONPATH": str(ROOT)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def _ours(self) -> dict[str, str]:
        chosen = ("BONGSU_", "AIRFLOW_CONN_")
        return {name: value for name, value in self.environment.items() if name.startswith(chosen)}

    @contextmanager
    def acting(self) -> Iterator[None]:
        """This process is one of this home."""
        before = dict(os.environ)
        os.environ.update(self._ours())
        settings.cache_clear()
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            settings.cache_clear()

    def kill(self, what: str, find: Callable[[], list[int]]) -> int:
        """kill -9 of the one process that ``find`` finds, a task of Airflow's; its number."""
        pid = int(until(what, find)[0])
        process = psutil.Process(pid)
        assert process.environ().get("BONGSU_HOME", str(self.databases.home)) == str(self.databases.home)
        process.kill()
        return pid


@contextmanager
def running_airflow(databases: Databases, folder: Path) -> Iterator[RunningAirflow]:
    """Raise the home of ``databases`` to a whole Airflow."""
    before = dict(os.environ)
    with ExitStack() as stack:
        try:
            files = databases.environment["BONGSU_CUSTOMER_FILES"]
            os.environ.update(BONGSU_HOME=str(databases.home), BONGSU_CUSTOMER_FILES=files)
            os.environ.pop("BONGSU_STORE_URL", None)
            settings.cache_clear()
            services = stack.enter_context(ensure(Level.all, lambda line: None))
        finally:
            os.environ.clear()
            os.environ.update(before)
            settings.cache_clear()
        values = services.environment
        api = Airflow(values["BONGSU_AIRFLOW_URL"], values["BONGSU_AIRFLOW_USER"], values["BONGSU_AIRFLOW_PASSWORD"])
        stack.callback(api.http.close)
        yield RunningAirflow(databases, api, folder, values)
    os.environ.clear()
    os.environ.update(before)
    settings.cache_clear()

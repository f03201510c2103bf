"""Airflow's REST API as far as a run needs it: make a DAG known, start it, watch its tasks, read a task's
log.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from include.errors import BongsuError, Unavailable
from include.settings import ROOT

PAGE = 100


class AirflowRefused(BongsuError):
    """Airflow answered, and said no."""


class Conflict(AirflowRefused):
    """What was asked for is there already."""


@dataclass(frozen=True)
class Task:
    """One task instance, or one of the instances of a mapped task (``map_index`` from 0)."""

    task_id: str
    map_index: int
    state: str
    try_number: int
    seconds: float | None
    name: str

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Task":
        return cls(
            task_id=value["task_id"],
            map_index=value["map_index"],
            state=value["state"] or "waiting",
            try_number=value["try_number"],
            seconds=value["duration"],
            name=value.get("rendered_map_index") or value["task_display_name"],
        )


class Airflow:
    """A session with Airflow's API; asks for a new token when the old one is over."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self.user, self.password = url, user, password
        self.http = httpx.Client(base_url=url, timeout=30)

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """One call; GET and PUT are repeated when Airflow does not answer, a start of a run never is.

        :raises Unavailable: Airflow does not answer.
        :raises Conflict: it has that already.
        :raises AirflowRefused: it says no; ``None`` is returned for what does not exist.
        """
        for attempt in range(1, 4):
            try:
                if "Authorization" not in self.http.headers:
                    self._sign_in()
                response = self.http.request(method, path, **arguments)
            except httpx.TransportError as error:
                if method == "POST" or attempt == 3:
                    raise Unavailable(f"Airflow at {self.url} does not answer: {error}") from error
                time.sleep(attempt)
                continue
            if response.status_code == 401 and attempt == 1:
                del self.http.headers["Authorization"]
                continue
            break
        if response.status_code == 404:
            return None
        if response.status_code >= 500 and method != "POST":
            # Airflow says this, too, while its own database is away.
            raise Unavailable(f"Airflow at {self.url} answers with {response.status_code}.")
        if response.is_error:
            refused = Conflict if response.status_code == 409 else AirflowRefused
            raise refused(f"Airflow refused {method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else {}

    def _sign_in(self) -> None:
        answer = self.http.post("/auth/token", json={"username": self.user, "password": self.password})
        if answer.status_code >= 500:
            raise Unavailable(f"Airflow at {self.url} answers with {answer.status_code}.")
        if answer.is_error:
            raise AirflowRefused(f"Airflow did not accept user {self.user!r}: {answer.status_code}")
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """A DAG's details; ``None`` when Airflow does not know it."""
        found: dict[str, Any] | None = self.call("GET", f"/api/v2/dags/{quote(dag_id)}/details")
        return found

    def reparse(self, dag: dict[str, Any] | None, dag_file: Path) -> None:
        """Ask for a DAG file to be parsed now.

        Airflow's own way needs a DAG that it knows from that file. A file whose first DAG is yet to come is
        touched, which the DAG processor notices within seconds when it shares our disk.
        """
        try:
            if dag is not None and self.call("PUT", f"/api/v2/parseDagFile/{quote(dag['file_token'])}") is not None:
                return
        except Conflict:  # asked for a moment ago, and not done yet
            return
        with suppress(PermissionError):  # not ours to touch: Airflow looks at its next turn
            if dag_file.is_file():
                dag_file.touch()

    def import_error(self, dag_file: Path) -> str | None:
        """What Airflow could not import in a DAG file."""
        answer = self.call("GET", "/api/v2/importErrors", params={"limit": PAGE}) or {"import_errors": []}
        for error in answer["import_errors"]:
            if error["filename"].endswith(str(dag_file.relative_to(ROOT / "dags"))):
                return str(error["stack_trace"])
        return None

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"/api/v2/dags/{quote(dag_id)}", json={"is_paused": False})

    def start(self, dag_id: str, dag_run_id: str, conf: dict[str, Any]) -> None:
        """Start a run."""
        body = {"dag_run_id": dag_run_id, "logical_date": None, "conf": conf}
        if self.call("POST", f"/api/v2/dags/{quote(dag_id)}/dagRuns", json=body) is None:
            raise AirflowRefused(f"Airflow does not know {dag_id}")

    def run_state(self, dag_id: str, dag_run_id: str) -> str:
        answer = self.call("GET", f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(dag_run_id)}")
        return str(answer["state"]) if answer else "removed"

    def tasks(self, dag_id: str, dag_run_id: str) -> list[Task]:
        """All task instances of a run."""
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(dag_run_id)}/taskInstances"
        found: list[Task] = []
        while True:
            answer = self.call("GET", path, params={"limit": PAGE, "offset": len(found)})
            if not answer or not answer["task_instances"]:
                return found
            found += [Task.from_json(value) for value in answer["task_instances"]]
            if len(found) >= answer["total_entries"]:
                return found

    def log(self, dag_id: str, dag_run_id: str, task: Task, lines: int = 15) -> list[str]:
        """The end of a task's log."""
        answer = self.call(
            "GET",
            f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(dag_run_id)}/taskInstances/{quote(task.task_id)}"
            f"/logs/{max(task.try_number, 1)}",
            params={"map_index": task.map_index, "full_content": "true"},
            headers={"Accept": "application/json"},
        )
        content = (answer or {}).get("content", [])
        return [line for entry in content for line in _log_lines(entry)][-lines:]


def _log_lines(entry: str | dict[str, Any]) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
        return
    yield f"{entry.get('level', ''):<8} {entry.get('event', '')}".strip()
    for error in entry.get("error_detail") or []:
        yield f"         {error.get('exc_type', '')}: {error.get('exc_value', '')}"


@contextmanager
def airflow() -> Iterator[Airflow]:
    """Airflow as the settings name it."""
    from include.settings import settings

    values = settings()
    if not values.airflow_url:
        raise BongsuError("BONGSU_AIRFLOW_URL is not set, so there is no Airflow to start the run in")
    session = Airflow(values.airflow_url, values.airflow_user, values.airflow_password)
    try:
        yield session
    finally:
        session.http.close()

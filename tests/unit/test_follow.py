"""A run outlives what `bongsu run` looks at it through: Airflow's API and the store may be away for a while."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from include.cli import run_flow
from include.cli.airflow_api import Airflow
from include.cli.progress import Snapshot
from include.cli.run_flow import Order
from include.errors import Unavailable

WANTED = Order("acme", "campaign__acme__sale", Path("campaigns_00.py"), "run", {}, 1)


def stub_airflow(*answers: httpx.Response | httpx.TransportError) -> Airflow:
    """Airflow's API, which answers so, one after the other, and then that the run is a success."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        if request.url.path.endswith("/taskInstances"):
            return httpx.Response(200, json={"task_instances": [], "total_entries": 0})
        given = left.pop(0) if left else httpx.Response(200, json={"state": "success"})
        if isinstance(given, httpx.TransportError):
            raise given
        return given

    session = Airflow("http://airflow", "admin", "secret")
    session.http = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(answer))
    return session


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A store that is away at the second look and finished at all others; the looks."""
    looks: list[str] = []

    @contextmanager
    def tenant_store(slug: str) -> Iterator[tuple[None, int]]:
        yield None, 1

    def look(*_: Any) -> Snapshot:
        looks.append("look")
        if len(looks) == 2:
            raise psycopg.OperationalError("the server closed the connection")
        return Snapshot(run_id=1)

    monkeypatch.setattr(run_flow, "tenant_store", tenant_store)
    monkeypatch.setattr(run_flow, "look", look)
    monkeypatch.setattr(run_flow, "_finish", lambda *_, **__: 0)
    monkeypatch.setattr(run_flow, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(run_flow, "AWAY_SECONDS", 0.0)
    monkeypatch.setattr("include.cli.airflow_api.time.sleep", lambda seconds: None)
    return looks


def follow(session: Airflow, limit: float = float("inf")) -> int:
    return run_flow.follow(session, WANTED, None, limit)


def test_a_run_is_followed_over_an_api_server_and_a_store_that_go_away(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    gone = [httpx.ConnectError("refused")] * 4
    running = httpx.Response(200, json={"state": "running"})
    assert follow(stub_airflow(running, *gone, httpx.Response(500, text="no database"), running, running)) == 0
    said = capsys.readouterr().err
    assert "Airflow at http://airflow does not answer" in said
    assert "Airflow at http://airflow answers with 500" in said
    assert "The campaign store does not answer. The run goes on by itself" in said
    assert len(store) > 2


def test_the_time_limit_holds_while_nothing_answers(store: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> Snapshot:
        raise Unavailable("The campaign store does not answer.")

    monkeypatch.setattr(run_flow, "tenant_store", away)
    with pytest.raises(Unavailable):
        follow(stub_airflow(), limit=time.monotonic() + 0.05)


def test_a_refusal_of_airflow_is_no_outage() -> None:
    from include.cli.airflow_api import AirflowRefused

    with pytest.raises(AirflowRefused):
        follow(stub_airflow(httpx.Response(403, text="not yours")))


class StoreOfOneRun:
    """A store that knows no run yet."""

    def execute(self, *_: object) -> "StoreOfOneRun":
        return self

    def fetchone(self) -> tuple[int]:
        return (0,)

    def commit(self) -> None:
        pass


class Spawned(Exception):
    """Stands for the process that would run the tasks."""


def test_tasks_in_one_process_are_not_given_what_the_command_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor does the run need a log folder that somebody else has made."""
    log = tmp_path / "logs" / "in-process.log"
    given: dict[str, str] = {}

    def spawn(command: list[str], *, environment: dict[str, str], log: Path) -> None:
        log.touch()
        given.update(environment)
        raise Spawned

    @contextmanager
    def store(_: str) -> Iterator[tuple[StoreOfOneRun, int]]:
        yield StoreOfOneRun(), 1

    monkeypatch.setattr(run_flow, "tenant_store", store)
    monkeypatch.setattr("include.embedded.processes.spawn", spawn)
    environment = {"BONGSU_STORE_URL": "a", "BONGSU_PLATFORM_URL": "b", "BONGSU_OWNER_URL": "c"}
    environment |= {"BONGSU_LINE_TABLES_URL": "d", "BONGSU_AIRFLOW_USER": "e", "BONGSU_AIRFLOW_PASSWORD": "f"}
    with pytest.raises(Spawned):
        run_flow.run_here(WANTED, environment, log, None, float("inf"))
    assert given == {"BONGSU_STORE_URL": "a"}

"""What Airflow's processes on this machine know, and where they listen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from include.embedded.processes import left_over
from include.embedded.state import Home, load_secrets, read_json
from tests.airflow_runs import RunningAirflow, until

pytestmark = pytest.mark.airflow

MIGHTY = ("postgres", "bongsu_owner", "bongsu_platform", "line_tables", "line_agent", "admin")
"""The passwords of roles and users that see every tenant, own tables, act for the carrier, or are Airflow's admin."""


@dataclass(frozen=True)
class Task:
    """A task of a run in the middle of its work: its process's environment, its log as the UI shows it."""

    environment: dict[str, str]
    log: str


@pytest.fixture(scope="module")
def task(airflow: RunningAirflow) -> Iterator[Task]:
    """A dispatch that waits for its line, and gets it in the end."""
    campaign = airflow.apply(airflow.define("machine", 10))
    with airflow.held_lines("SMSQ_SEND_1"):
        run = airflow.start(campaign)
        pid = until("a task at its line", lambda: airflow.writers("GET_LOCK('SMSQ_SEND_1'"))[0]
        environment = psutil.Process(pid).environ()
        path = f"/api/v2/dags/{campaign.dag_id}/dagRuns/{run.dag_run_id}/taskInstances/dispatch/logs/1"
        answer: Any = airflow.api.call("GET", path, params={"map_index": 0, "full_content": "true"})
    yield Task(environment, str(answer))
    run.wait()


def test_a_task_has_no_password_of_a_mighty_role(airflow: RunningAirflow, task: Task) -> None:
    secrets = load_secrets(Home(airflow.databases.home))
    held = {name for name in MIGHTY for value in task.environment.values() if secrets[name] in value}
    assert held == set()
    ours = {name for name in task.environment if name.startswith(("BONGSU_", "AIRFLOW_CONN_"))}
    assert ours == {
        "AIRFLOW_CONN_BONGSU_LINE",
        "AIRFLOW_CONN_BONGSU_STORE",
        "BONGSU_CUSTOMER_FILES",
        "BONGSU_HOME",
        "BONGSU_KEYRING",
        "BONGSU_LINE_URL",
        "BONGSU_MANIFESTS",
        "BONGSU_POLL_SECONDS",
        "BONGSU_QUIET_HOURS",
        "BONGSU_RETRY_SECONDS",
        "BONGSU_SESSION",
        "BONGSU_STORE_URL",
    }
    logins = {urlsplit(task.environment[name]).username for name in ("BONGSU_STORE_URL", "BONGSU_LINE_URL")}
    assert logins == {"bongsu_app", "bongsu"}


def test_other_users_of_the_machine_come_to_no_log_of_airflows(airflow: RunningAirflow, task: Task) -> None:
    folder = Home(airflow.databases.home).path / "airflow"
    assert list((folder / "logs").iterdir()) != []
    assert folder.stat().st_mode & 0o077 == 0


def test_the_other_processes_of_airflow_have_none_either(airflow: RunningAirflow) -> None:
    home = Home(airflow.databases.home)
    secrets = load_secrets(home)
    for name, service in read_json(home.endpoints)["services"].items():
        if name.startswith("airflow-") and name != "airflow-metadata":
            environment = psutil.Process(service["pid"]).environ()
            held = {secret for secret in MIGHTY for value in environment.values() if secrets[secret] in value}
            assert held == set(), name


def test_the_log_of_a_running_task_comes_from_this_machine(airflow: RunningAirflow, task: Task) -> None:
    port = read_json(Home(airflow.databases.home).ports)["airflow_logs"]
    assert f"http://127.0.0.1:{port}/log/" in task.log
    assert "Could not read served logs" not in task.log


def test_every_service_listens_on_this_machine_alone(airflow: RunningAirflow) -> None:
    ours = {process.pid for process in left_over(airflow.databases.home)}
    found = [one for one in psutil.net_connections("tcp") if one.pid in ours and one.status == psutil.CONN_LISTEN]
    addresses = [one.laddr for one in found if one.laddr]
    ports = read_json(Home(airflow.databases.home).ports)
    assert {address[1] for address in addresses} == set(ports.values())
    assert {address[0] for address in addresses} == {"127.0.0.1"}

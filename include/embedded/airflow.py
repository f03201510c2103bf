"""Airflow on this machine: its configuration as environment variables, its metadata, its five processes."""

import hashlib
import json
import socket
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import httpx

from include.embedded.processes import ROOT
from include.embedded.seed import LINES
from include.embedded.service import Service, Site
from include.embedded.state import Level, private_folder, read_json, write_json

USER = "admin"
WORKERS = 4


def environment(site: Site) -> dict[str, str]:
    """Airflow's configuration for this home; nothing of it is written to a file."""
    home = site.home.path / "airflow"
    # psycopg serves both of Airflow's engines, the synchronous and the asynchronous one.
    metadata = site.store_url("airflow", "airflow").replace("postgresql:", "postgresql+psycopg:", 1)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(WORKERS),
        "AIRFLOW__CORE__FERNET_KEY": site.secrets["fernet_key"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{site.airflow_url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_password_file(site)),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        # The log of a task or trigger that runs is asked for at the host where it runs; one server has them all.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "include.embedded.hostname.hostname",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(site.ports["airflow_logs"]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(site.ports["airflow_logs"]),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(site.ports["airflow"]),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": site.airflow_url,
        "AIRFLOW__API__SECRET_KEY": site.secrets["api_secret"],
        "AIRFLOW__API_AUTH__JWT_SECRET": site.secrets["jwt_secret"],
        "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        # A task whose machine died is given up after a minute, then retried.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        # What a scheduler that died had queued or running goes to the next one, which looks every so many seconds.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        # An apply asks for its file at once; the rest is only a safety net.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
        # An apply and the edit after it must both become versions at once.
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        "AIRFLOW__TRACES__OTEL_ON": "False",
        "AIRFLOW__METRICS__OTEL_ON": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _password_file(site: Site) -> Path:
    return site.home.path / "airflow" / "passwords.json"


def _prepare(site: Site) -> None:
    private_folder(site.home.path / "airflow")
    (site.home.path / "airflow" / "logs").mkdir(exist_ok=True)
    expected = {USER: site.secrets["admin"]}
    if read_json(_password_file(site)) != expected:
        write_json(_password_file(site), expected)


def services(site: Site, tasks: Mapping[str, str]) -> list[Service]:
    """The metadata step and the processes.

    :param tasks: environment of the product's own code; whatever is in it, every task can read.
    """
    whole = {**tasks, **environment(site)}
    python = [sys.executable, "-m", "airflow"]
    done = site.home.path / "airflow" / "metadata-ready.json"
    fingerprint = hashlib.sha256(json.dumps([version("apache-airflow"), LINES]).encode()).hexdigest()

    # Both commands take seconds to start, so they run once for a version of Airflow, not at every start.
    steps = (
        f'test "$(cat {_quoted(done)} 2>/dev/null)" = {fingerprint} && exit 0; '
        f"{_quoted(sys.executable)} -m airflow db migrate && "
        f"{_quoted(sys.executable)} -m operators.make_pools && "
        f"printf %s {fingerprint} > {_quoted(done)}"
    )
    metadata = Service(
        name="airflow-metadata",
        title="Airflow metadata and pools",
        level=Level.all,
        needs=("postgres",),
        command=["/bin/sh", "-c", steps],
        environment=whole,
        prepare=lambda: _prepare(site),
        once=True,
        ready_seconds=240,
    )
    api = Service(
        name="airflow-api-server",
        title="Airflow API server and UI",
        level=Level.all,
        needs=("airflow-metadata",),
        command=[*python, "api-server"],
        environment=whole,
        is_ready=lambda: _health(site) is not None,
        ready_seconds=180,
        stop_seconds=5,
    )
    # Airflow's own start of this server listens on every address of the machine.
    logs = Service(
        name="airflow-logs",
        title="Airflow log server",
        level=Level.all,
        needs=("airflow-metadata",),
        command=[
            *(sys.executable, "-m", "uvicorn", "--factory", "airflow.utils.serve_logs.log_server:get_app"),
            *("--host", "127.0.0.1", "--port", str(site.ports["airflow_logs"]), "--no-access-log"),
        ],
        environment=whole,
        is_ready=lambda: _listens(site.ports["airflow_logs"]),
        stop_seconds=5,
    )
    heartbeats = {name: Heartbeat(site, name.replace("-", "_")) for name in ("dag-processor", "scheduler", "triggerer")}
    components = [
        Service(
            name=f"airflow-{name}",
            title=f"Airflow {title}",
            level=Level.all,
            needs=("airflow-metadata", "store-schema", "line-tables"),
            command=[*python, name, *options],
            environment=whole,
            prepare=heartbeats[name].forget,
            is_ready=heartbeats[name],
            ready_seconds=180,
            stop_seconds=5,
        )
        for name, title, options in (
            ("dag-processor", "DAG processor", ()),
            ("scheduler", "scheduler", ("--skip-serve-logs",)),
            ("triggerer", "triggerer", ("--skip-serve-logs",)),
        )
    ]
    return [metadata, api, logs, *components]


def _quoted(path: Path | str) -> str:
    text = str(path).replace("'", "'\"'\"'")
    return f"'{text}'"


def _listens(port: int) -> bool:
    """Whether somebody answers on ``port`` of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        time.sleep(0.2)
        return False
    return True


def _health(site: Site) -> dict[str, dict[str, str]] | None:
    """What Airflow says of itself; ``None`` while it does not answer."""
    try:
        response = httpx.get(f"{site.airflow_url}/api/v2/monitor/health", timeout=5)
        response.raise_for_status()
    except httpx.HTTPError:
        time.sleep(0.2)
        return None
    answer: dict[str, dict[str, str]] = response.json()
    return answer


class Heartbeat:
    """Ready when Airflow has heard from the component since its process was started; an earlier one's heartbeat
    does not count.
    """

    def __init__(self, site: Site, component: str) -> None:
        self.site, self.component = site, component
        self.since = time.time()

    def forget(self) -> None:
        """A new process begins; what the one before it said no longer counts."""
        self.since = time.time()

    def __call__(self) -> bool:
        health = (_health(self.site) or {}).get(self.component) or {}
        heartbeat = health.get(f"latest_{self.component}_heartbeat")
        if heartbeat and datetime.fromisoformat(heartbeat.replace("Z", "+00:00")).timestamp() > self.since:
            return True
        time.sleep(0.3)
        return False

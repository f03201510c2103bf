"""The course of a run: started in Airflow or in one process, watched through the store, ended with its
report.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from include.cli.airflow_api import Airflow, Task, airflow
from include.cli.applying import Applied
from include.cli.output import FAILED, answer, say
from include.cli.progress import Display, Snapshot, look, rows
from include.cli.reports import exit_code
from include.cli.store import tenant_store
from include.errors import BongsuError, Unavailable
from include.settings import ROOT, without_privileges

POLL_SECONDS = 1.0
DAG_SECONDS = 120.0
AWAY_SECONDS = 3.0
ENDED = {"success", "failed", "removed"}
TEST_SEND = "test_send"
"""The DAG of test sends, and the name of its file (dags/requests/)."""


@dataclass(frozen=True)
class Order:
    """What is to be run.

    :param dag_id: the campaign's own DAG, or that of test sends.
    :param version: which version of the DAG Airflow has to know; ``None``: any.
    """

    tenant: str
    dag_id: str
    dag_file: Path
    dag_run_id: str
    conf: dict[str, Any]
    version: int | None


def order(applied: Applied, *, test_send: bool = False, allow_overlap: bool = False) -> Order:
    """The run that a person asks for, under an id of its own."""
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    if test_send:
        campaign = f"{applied.tenant}/{applied.slug}"
        file = ROOT / "dags" / "requests" / f"{TEST_SEND}.py"
        run_id = f"test__{applied.tenant}__{applied.slug}__{moment}"
        return Order(applied.tenant, TEST_SEND, file, run_id, {"campaign": campaign}, None)
    conf = {"allow_overlap": True} if allow_overlap else {}
    run_id = f"bongsu-run-{moment}"
    return Order(applied.tenant, applied.dag_id, applied.dag_file, run_id, conf, applied.version)


def run_in_airflow(wanted: Order, report: Path | None, limit: float) -> int:
    """Start the DAG's run, show it until it has ended, print its report; the exit code.

    A campaign's own DAG is switched on for it; a test send leaves every schedule as it is.
    """
    with airflow() as session:
        wait_for_dag(session, wanted)
        if wanted.dag_id != TEST_SEND:
            session.unpause(wanted.dag_id)
        session.start(wanted.dag_id, wanted.dag_run_id, wanted.conf)
        return follow(session, wanted, report, limit)


def follow(session: Airflow, wanted: Order, report: Path | None, limit: float) -> int:
    """Show a run until it has ended, print its report; the exit code.

    The run does not need us: what does not answer meanwhile is only waited for.
    """
    with Display(_address(session, wanted)) as display:
        while True:
            try:
                with tenant_store(wanted.tenant) as (store, _):
                    return _follow(session, store, wanted, report, limit, display)
            except (Unavailable, psycopg.OperationalError) as error:
                if time.monotonic() > limit:
                    raise
                problem = str(error) if isinstance(error, Unavailable) else "The campaign store does not answer"
                problem = problem.splitlines()[0].rstrip(".")
                say(f"{problem}. The run goes on by itself; looking again in {AWAY_SECONDS:.0f} s.")
                time.sleep(AWAY_SECONDS)


def _follow(
    session: Airflow,
    store: psycopg.Connection,
    wanted: Order,
    report: Path | None,
    limit: float,
    display: Display,
) -> int:
    seen, tasks, state = Snapshot(), list[Task](), "queued"
    while state not in ENDED:
        if time.monotonic() > limit:
            where = _address(session, wanted)
            say(f"Still {state} when the time was up; the run goes on while Airflow is up: {where}")
            return FAILED
        time.sleep(POLL_SECONDS)
        # The state comes first: what is read after it includes all that led to it.
        state = session.run_state(wanted.dag_id, wanted.dag_run_id)
        tasks = session.tasks(wanted.dag_id, wanted.dag_run_id)
        seen = look(store, wanted.dag_id, wanted.dag_run_id)
        display.show(rows(seen, tasks))
    display.close()
    code = _finish(store, seen, report, ended_well=state == "success")
    if code == FAILED:
        for task in [task for task in tasks if task.state == "failed"][:3]:
            number = f" {task.name}" if task.map_index >= 0 else ""
            say(f"{task.task_id}{number} failed at try {task.try_number}. The end of its log:")
            for line in session.log(wanted.dag_id, wanted.dag_run_id, task):
                say(f"    {line}")
        say(f"All logs: {_address(session, wanted)}")
    return code


def _address(session: Airflow, wanted: Order) -> str:
    """Where the run is shown."""
    return f"{session.url}/dags/{wanted.dag_id}/runs/{wanted.dag_run_id}"


def wait_for_dag(session: Airflow, wanted: Order) -> None:
    """Ask for the DAG to be parsed and wait until Airflow has this version of it.

    :raises BongsuError: it could not be imported, or did not come in time.
    """
    dag = session.dag(wanted.dag_id)
    if _is_current(dag, wanted):
        return
    session.reparse(dag, wanted.dag_file)
    say("waiting for Airflow to build the DAG")
    limit = time.monotonic() + DAG_SECONDS
    asked = time.monotonic()
    while not _is_current(dag, wanted):
        if time.monotonic() > limit:
            problem = session.import_error(wanted.dag_file) or "Look at the DAG processor's log."
            version = "" if wanted.version is None else f"version {wanted.version} of "
            raise BongsuError(f"Airflow has no {version}{wanted.dag_id}. {problem}")
        time.sleep(0.5)
        dag = session.dag(wanted.dag_id)
        if time.monotonic() - asked > 15:
            session.reparse(dag, wanted.dag_file)
            asked = time.monotonic()


def _is_current(dag: dict[str, Any] | None, wanted: Order) -> bool:
    if dag is None or dag.get("is_stale"):
        return False
    return wanted.version is None or (dag.get("description") or "").endswith(f", v{wanted.version}")


def run_here(
    wanted: Order,
    environment: Mapping[str, str],
    log: Path,
    report: Path | None,
    limit: float,
) -> int:
    """Run the DAG's tasks one after the other in a process of ours (operators/in_process.py)."""
    from include.embedded.processes import last_lines, spawn, stop

    log.parent.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC).isoformat()
    dag_run_id = f"manual__{moment}"
    with tenant_store(wanted.tenant) as (store, _):
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "operators.in_process", wanted.dag_id, str(wanted.dag_file), moment]
        process: subprocess.Popen[bytes] = spawn(
            [*command, json.dumps(wanted.conf)],
            environment=without_privileges(environment),
            log=log,
        )
        seen = Snapshot()
        try:
            with Display(f"{wanted.dag_id} in one process, log in {log}") as display:
                while (code := process.poll()) is None:
                    if time.monotonic() > limit:
                        say("The time was up; the run was stopped. What was handed over stays handed over.")
                        return FAILED
                    time.sleep(POLL_SECONDS)
                    seen = look(store, wanted.dag_id, dag_run_id)
                    display.show(rows(seen, []))
                seen = look(store, wanted.dag_id, dag_run_id)
                display.show(rows(seen, []))
        finally:
            stop(process, signal.SIGTERM, 10)
        outcome = _finish(store, seen, report, ended_well=code == 0)
    if outcome == FAILED:
        say(f"The run's process ended with {code}. The end of its log, {log}:")
        for line in last_lines(log):
            say(f"    {line}")
    return outcome


def _finish(store: psycopg.Connection, seen: Snapshot, report: Path | None, *, ended_well: bool) -> int:
    """Print and write the report; the exit code it means."""
    from include.reporting.report import load_report, render_report

    if seen.run_id is None:
        say("The run ended before it wrote anything to the campaign store; nothing was sent.")
        return FAILED
    content = load_report(store, seen.run_id)
    for line in render_report(content):
        answer(line)
    if report is not None:
        report.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    code = exit_code(content)
    return code if ended_well or code != 0 else FAILED

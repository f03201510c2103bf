"""The course of a run: started in Airflow or in one process, watched through the store, ended with its
report.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
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
from include.settings import without_privileges

POLL_SECONDS = 1.0
DAG_SECONDS = 120.0
AWAY_SECONDS = 3.0
ENDED = {"success", "failed", "removed"}


def run_in_airflow(applied: Applied, report: Path | None, limit: float, test_send: bool) -> int:
    """Start the DAG's run, show it until it has ended, print its report; the exit code."""
    dag_run_id = f"bongsu-run-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    with airflow() as session:
        wait_for_dag(session, applied)
        session.unpause(applied.dag_id)
        session.start(applied.dag_id, dag_run_id, _conf(test_send))
        return follow(session, applied, dag_run_id, report, limit)


def follow(session: Airflow, applied: Applied, dag_run_id: str, report: Path | None, limit: float) -> int:
    """Show a run until it has ended, print its report; the exit code.

    The run does not need us: what does not answer meanwhile is only waited for.
    """
    where = f"{session.url}/dags/{applied.dag_id}/runs/{dag_run_id}"
    with Display(where) as display:
        while True:
            try:
                with tenant_store(applied.tenant) as (store, _):
                    return _follow(session, store, applied, dag_run_id, report, limit, display)
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
    applied: Applied,
    dag_run_id: str,
    report: Path | None,
    limit: float,
    display: Display,
) -> int:
    seen, tasks, state = Snapshot(), list[Task](), "queued"
    while state not in ENDED:
        if time.monotonic() > limit:
            where = f"{session.url}/dags/{applied.dag_id}/runs/{dag_run_id}"
            say(f"Still {state} when the time was up; the run goes on while Airflow is up: {where}")
            return FAILED
        time.sleep(POLL_SECONDS)
        # The state comes first: what is read after it includes all that led to it.
        state = session.run_state(applied.dag_id, dag_run_id)
        tasks = session.tasks(applied.dag_id, dag_run_id)
        seen = look(store, applied.dag_id, dag_run_id, 0)
        display.show(rows(seen, tasks))
    display.close()
    code = _finish(store, seen, report, ended_well=state == "success")
    if code == FAILED:
        for task in [task for task in tasks if task.state == "failed"][:3]:
            number = f" {task.name}" if task.map_index >= 0 else ""
            say(f"{task.task_id}{number} failed at try {task.try_number}. The end of its log:")
            for line in session.log(applied.dag_id, dag_run_id, task):
                say(f"    {line}")
        say(f"All logs: {session.url}/dags/{applied.dag_id}/runs/{dag_run_id}")
    return code


def _conf(test_send: bool) -> dict[str, Any]:
    return {"test_send": True} if test_send else {}


def wait_for_dag(session: Airflow, applied: Applied) -> None:
    """Ask for the DAG to be parsed and wait until Airflow has this version of it.

    :raises BongsuError: it could not be imported, or did not come in time.
    """
    dag = session.dag(applied.dag_id)
    if _is_current(dag, applied):
        return
    session.reparse(dag, applied.dag_file)
    say("waiting for Airflow to build the DAG")
    limit = time.monotonic() + DAG_SECONDS
    asked = time.monotonic()
    while not _is_current(dag, applied):
        if time.monotonic() > limit:
            problem = session.import_error(applied.dag_file) or "Look at the DAG processor's log."
            raise BongsuError(f"Airflow has no version {applied.version} of {applied.dag_id}. {problem}")
        time.sleep(0.5)
        dag = session.dag(applied.dag_id)
        if time.monotonic() - asked > 15:
            session.reparse(dag, applied.dag_file)
            asked = time.monotonic()


def _is_current(dag: dict[str, Any] | None, applied: Applied) -> bool:
    return (
        dag is not None and not dag.get("is_stale") and (dag.get("description") or "").endswith(f", v{applied.version}")
    )


def run_here(
    applied: Applied,
    environment: Mapping[str, str],
    log: Path,
    report: Path | None,
    limit: float,
    test_send: bool,
) -> int:
    """Run the DAG with ``airflow dags test``: the same tasks, one after the other, in a process of ours."""
    from include.embedded.processes import last_lines, spawn, stop

    log.parent.mkdir(parents=True, exist_ok=True)
    with tenant_store(applied.tenant) as (store, _):
        last = store.execute("SELECT coalesce(max(run_id), 0) FROM runs WHERE dag_id = %s", [applied.dag_id])
        after = int((last.fetchone() or (0,))[0])
        store.commit()
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "airflow", "dags", "test", applied.dag_id]
        process: subprocess.Popen[bytes] = spawn(
            [*command, "--dagfile-path", str(applied.dag_file), "--conf", json.dumps(_conf(test_send))],
            environment=without_privileges(environment),
            log=log,
        )
        seen = Snapshot()
        try:
            with Display(f"{applied.dag_id} in one process, log in {log}") as display:
                while (code := process.poll()) is None:
                    if time.monotonic() > limit:
                        say("The time was up; the run was stopped. What was handed over stays handed over.")
                        return FAILED
                    time.sleep(POLL_SECONDS)
                    seen = look(store, applied.dag_id, None, after)
                    display.show(rows(seen, []))
                seen = look(store, applied.dag_id, None, after)
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
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    code = exit_code(content)
    return code if ended_well or code != 0 else FAILED

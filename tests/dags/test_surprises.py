"""Nothing goes out by surprise, with Airflow's own scheduler trying: passed times, edits, a store that is away."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from include.campaigns.manifest import compile_manifests
from include.cli.applying import Applied
from tests.airflow_runs import RunningAirflow, until
from tests.support import AD

pytestmark = pytest.mark.airflow
SEOUL = ZoneInfo("Asia/Seoul")
AWAY_SECONDS = 20.0
LOADER_LOOKS = 3


def nothing_sent(airflow: RunningAirflow, applied: Applied) -> bool:
    """No run of the campaign has anything on the line, and no message was ever claimed."""
    with airflow.store() as store:
        runs = store.execute("SELECT run_id, state, refusal FROM runs WHERE dag_id = %s", [applied.dag_id]).fetchall()
    handed = [airflow.handed(run_id) for run_id, _, _ in runs]
    return all((one.rows, one.sent, one.markers) == (Counter(), Counter(), 0) for one in handed)


def backdate(airflow: RunningAirflow, campaigns: list[Applied], days: int) -> None:
    """As if the campaigns had been applied days ago and had stayed paused in Airflow since."""
    with airflow.acting(), psycopg.connect(airflow.databases.platform_url) as platform:
        with airflow.store() as store:
            store.execute(
                "UPDATE campaigns SET activated_at = activated_at - make_interval(days => %s) WHERE dag_id = ANY(%s)",
                [days, [one.dag_id for one in campaigns]],
            )
        compile_manifests(platform, airflow.databases.home / "manifests")
    for one in campaigns:
        airflow.reparse(one)


@pytest.fixture(scope="module")
def passed() -> dict[str, dict[str, str]]:
    """Schedules whose last time was half an hour ago."""
    ago = datetime.now(SEOUL) - timedelta(minutes=30)
    return {
        "daily": {"daily": f"{ago:%H:%M}"},
        "cron": {"cron": f"{ago.minute} {ago.hour} * * *"},
        "at": {"at": f"{ago:%Y-%m-%dT%H:%M}"},
    }


@pytest.fixture(scope="module")
def created(airflow: RunningAirflow, passed: dict[str, dict[str, str]]) -> list[Applied]:
    """Campaigns that are created and unpaused after their time."""
    return [airflow.apply(airflow.define(f"new-{kind}", 100, schedule=when)) for kind, when in passed.items()]


@pytest.fixture(scope="module")
def slept(airflow: RunningAirflow, passed: dict[str, dict[str, str]]) -> list[Applied]:
    """Campaigns that were created two days ago, and whose time has passed while they were paused."""
    kinds = [airflow.apply(airflow.define(f"old-{kind}", 100, schedule=when)) for kind, when in passed.items()]
    backdate(airflow, kinds, 2)
    return kinds


def test_creating_and_unpausing_after_the_time_sends_nothing(
    airflow: RunningAirflow, created: list[Applied], slept: list[Applied]
) -> None:
    for one in [*created, *slept]:
        airflow.api.unpause(one.dag_id)
    # Airflow makes the missed runs of the old ones at once: the proof that it had the time to surprise us.
    for one in slept:
        for run in until(f"the missed run of {one.slug}", partial(airflow.runs_of, one.dag_id)):
            run.wait("failed")
            assert {task.task_id: task.state for task in run.tasks()}["guard"] == "failed"
            assert {task.state for task in run.tasks()} == {"failed", "upstream_failed"}
            row = run.row()
            assert row["state"] == "refused"
            assert row["refusal"].startswith("misfire: The run was due ")
    for one in created:
        assert airflow.runs_of(one.dag_id) == []
    assert all(nothing_sent(airflow, one) for one in [*created, *slept])


def test_editing_after_the_time_sends_nothing(airflow: RunningAirflow, slept: list[Applied]) -> None:
    before = {one.dag_id: len(airflow.runs_of(one.dag_id)) for one in slept}
    edited = []
    for one in slept:
        file = airflow.folder / f"{one.slug}.yaml"
        document = json.loads(file.read_text(encoding="utf-8"))
        document["message"]["text"] = AD.replace("20%", "30%")
        file.write_text(json.dumps(document), encoding="utf-8")
        edited.append(airflow.apply(file))
        airflow.api.unpause(one.dag_id)
    assert [one.version for one in edited] == [one.version + 1 for one in slept]
    witness = airflow.start(airflow.define("witness", 100)).wait()
    assert len(witness.handed().sent) == 100  # a whole run went by meanwhile
    for one in edited:
        later = airflow.runs_of(one.dag_id)[before[one.dag_id] :]
        assert [run.row()["state"] for run in later] in ([], ["refused"])
        assert nothing_sent(airflow, one)


def test_an_edit_during_a_run_changes_the_next_one_only(airflow: RunningAirflow) -> None:
    old, new = "(광고) [ACME] 옛 문구 무료수신거부 080-123-4567", "(광고) [ACME] 새 문구 무료수신거부 080-123-4567"
    campaign = airflow.apply(airflow.define("edited", 300, text=old))
    with airflow.held_lines("SMSQ_SEND_1", "SMSQ_SEND_2", "SMSQ_SEND_3"):
        run = airflow.start(campaign)
        until("a chunk that waits for its line", lambda: airflow.writers("GET_LOCK('SMSQ_SEND_1'"))
        edited = airflow.apply(airflow.define("edited", 300, text=new))
        assert edited.version == 2
    run.wait()
    assert airflow.texts(run.run_id) == {old: 300}
    # also when a task of it is repeated after the edit
    run.clear("import_targets", "chunk_recipients", "dispatch")
    run.wait()
    assert airflow.texts(run.run_id) == {old: 300}
    assert run.row()["version"] == 1
    later = airflow.start(edited).wait()
    assert airflow.texts(later.run_id) == {new: 300}


@contextmanager
def store_away(airflow: RunningAirflow) -> Iterator[None]:
    """The campaign store takes no connections and has lost those it had; Airflow's own database stays."""
    with airflow.store("postgres") as server:
        server.autocommit = True
        server.execute("ALTER DATABASE bongsu ALLOW_CONNECTIONS false")
        try:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'bongsu'")
            yield
        finally:
            server.execute("ALTER DATABASE bongsu ALLOW_CONNECTIONS true")


def test_no_dag_is_lost_while_the_store_is_away(airflow: RunningAirflow) -> None:
    campaign = airflow.apply(airflow.define("store-away", 100))
    known, errors = airflow.dags(), airflow.import_errors()
    assert campaign.dag_id in known
    with store_away(airflow):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(airflow.databases.store_url)
        ends = time.monotonic() + AWAY_SECONDS
        for _ in range(LOADER_LOOKS):
            airflow.look_again(campaign)
        time.sleep(max(0.0, ends - time.monotonic()))
        assert airflow.dags() == known  # with the stale ones left out
        assert airflow.import_errors() == errors
    assert airflow.start(campaign).wait().row()["totals"]["accepted"] == 100


def test_a_run_under_way_survives_a_store_that_is_away(airflow: RunningAirflow) -> None:
    campaign = airflow.apply(airflow.define("store-lost", 300))
    with airflow.held_lines("SMSQ_SEND_1", "SMSQ_SEND_2", "SMSQ_SEND_3"):
        run = airflow.start(campaign)
        until("a chunk that waits for its line", lambda: airflow.writers("GET_LOCK('SMSQ_SEND_1'"))
        with store_away(airflow):
            pass  # every connection is cut in the middle of the chunks
    run.wait()
    expected = {f"{run.run_id}.0.{number}": 1 for number in range(1, 301)}
    assert run.handed().sent == expected
    assert run.row()["certificate"]["closed"] is True


def test_an_invalid_yaml_is_one_import_error_and_every_other_dag_loads(airflow: RunningAirflow, tmp_path: Path) -> None:
    known = airflow.dags()
    good = airflow.define("good-neighbour", 100, folder=tmp_path)
    bad = airflow.define("bad-neighbour", 100, folder=tmp_path, purpose="advertizing")
    done = airflow.bongsu("apply", good, bad)
    assert done.returncode == 2
    until("the import error", airflow.import_errors)
    (file, trace), *others = airflow.import_errors().items()
    assert (file, others) == ("definition_errors.py", [])
    assert "bad-neighbour.yaml: line 5: purpose: 'advertizing' is not possible here. Did you mean advertising?" in trace
    until("the good one's DAG", lambda: airflow.dags() == known | {"campaign__acme__good-neighbour"})
    airflow.define("bad-neighbour", 100, folder=tmp_path)
    assert airflow.bongsu("apply", good, bad).returncode == 0
    until("the error's end", lambda: not airflow.import_errors())

"""A run from its definition to its report through a real Airflow: what people see and scripts read."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.airflow_runs import TASKS, RunningAirflow, until
from tests.dirty_run import DirtyRun
from tests.support import numbers, write_csv

pytestmark = pytest.mark.airflow
KEYS = {
    "run_id",
    "rows_read",
    "rejected",
    "duplicates",
    "excluded",
    "recipients",
    "chunks",
    "accepted",
    "delivered",
    "failed",
    "expired",
    "unknown",
    "books_closed",
    "stages",
}


def test_an_uncleaned_file_is_sent_and_its_books_close(dirty_run: DirtyRun) -> None:
    done, report, truth = dirty_run.process, dirty_run.report, dirty_run.truth
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(report) >= KEYS
    assert report["books_closed"] is True
    assert report["rows_read"] == truth.rows
    assert report["rejected"] == dict(truth.rejected)
    assert report["duplicates"] == truth.duplicates
    assert report["excluded"].get("no_consent", 0) == truth.no_consent
    assert report["recipients"] == report["accepted"] == truth.recipients
    assert report["accepted"] == report["delivered"] + sum(report["failed"].values())
    assert (report["expired"], report["unknown"], report["twice"]) == (0, 0, 0)
    assert list(report["stages"]) == [task for task in TASKS if task != "guard"]
    assert done.stdout.splitlines()[-1] == "books closed"


def test_the_carrier_got_every_recipient_once(dirty_run: DirtyRun) -> None:
    handed = dirty_run.run.handed()
    expected = {f"{dirty_run.report['run_id']}.0.{number}": 1 for number in range(1, dirty_run.truth.recipients + 1)}
    assert handed.rows == expected
    assert handed.sent == expected


def test_mapped_tasks_are_named_after_their_chunk_and_wait_in_the_pool_of_their_line(dirty_run: DirtyRun) -> None:
    instances = [one for one in dirty_run.run.instances() if one["task_id"] == "dispatch"]
    instances.sort(key=lambda one: int(one["map_index"]))
    assert len(instances) == dirty_run.report["chunks"] > 3
    sizes = [500] * (len(instances) - 1) + [dirty_run.truth.recipients - 500 * (len(instances) - 1)]
    for index, (one, size) in enumerate(zip(instances, sizes, strict=True)):
        line = index % 3 + 1
        assert one["rendered_map_index"] == f"chunk {index + 1} · SMSQ_SEND_{line} · {size:,}"
        assert one["pool"] == f"sms_line_{line}"


def test_a_finished_run_emits_the_event_of_its_report(dirty_run: DirtyRun) -> None:
    answer = dirty_run.airflow.api.call(
        "GET", "/api/v2/assets/events", params={"source_dag_id": dirty_run.run.dag_id, "limit": 10}
    )
    found = [(event["source_task_id"], event["uri"]) for event in answer["asset_events"]]
    assert found == [("aggregate_results", "bongsu://report/acme/spring-sale")]


def test_a_run_in_one_process_gives_the_same_report(airflow: RunningAirflow) -> None:
    known = airflow.dags()
    report = airflow.folder / "in-process.json"
    done = airflow.bongsu("run", airflow.define("in-process", 350), "--in-process", "--report", report)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(report.read_text(encoding="utf-8"))
    assert set(content) >= KEYS
    assert (content["accepted"], content["chunks"], content["books_closed"]) == (350, 4, True)
    assert airflow.handed(content["run_id"]).sent == {f"{content['run_id']}.0.{n}": 1 for n in range(1, 351)}
    # it reads all DAG files, and must not take anything from the Airflow that runs beside it
    assert airflow.import_errors() == {}
    assert airflow.dags() >= known


def test_a_wrong_definition_names_its_field_and_starts_nothing(airflow: RunningAirflow) -> None:
    done = airflow.bongsu("run", airflow.define("wrong", 100, purpose="advertizing"))
    assert done.returncode == 2
    assert "purpose: 'advertizing' is not possible here. Did you mean advertising?" in done.stderr
    assert airflow.value("SELECT count(*) FROM campaigns WHERE slug = 'wrong'") == 0


def test_a_failed_gate_sends_nothing_and_says_why(airflow: RunningAirflow, tmp_path: Path) -> None:
    rows = [("02-312-4567", "김철수")] * 60 + [(f"0107700{n:04d}", "이영희") for n in range(40)]
    audience = {"columns": {"phone": "phone", "name": "name"}, "gate": {"min_valid_share": 0.9}}
    file = airflow.define("refused", rows)
    document = json.loads(file.read_text(encoding="utf-8"))
    document["audience"] |= audience
    file.write_text(json.dumps(document), encoding="utf-8")
    report = tmp_path / "refused.json"
    done = airflow.bongsu("run", file, "--report", report)
    assert done.returncode == 2, done.stdout + done.stderr
    content = json.loads(report.read_text(encoding="utf-8"))
    assert content["state"] == "refused"
    assert "40 of 100" in content["refusal"]
    assert content["refusal"] in done.stdout
    handed = airflow.handed(content["run_id"])
    assert (handed.rows, handed.sent, handed.markers) == (Counter(), Counter(), 0)


def test_a_test_send_goes_to_testers_over_the_test_line_and_waiting_holds_no_worker(airflow: RunningAirflow) -> None:
    testers = numbers(250, start=900_000)
    rows = [("phone", "name"), *((number, "시험") for number in testers)]
    test_file = write_csv(airflow.folder / "testers.csv", rows[0], rows[1:])
    customers = airflow.define("test-send", 300)
    audience = json.loads(customers.read_text(encoding="utf-8"))["audience"] | {"test_file": str(test_file)}
    with airflow.held_agents(10):
        run = airflow.start(airflow.define("test-send", 300, audience=audience), test_send=True)
        until("the wait for receipts", lambda: run.states("collect_receipts") == ["deferred"])
        pools = airflow.api.call("GET", "/api/v2/pools")["pools"]
        assert {pool["name"]: pool["occupied_slots"] for pool in pools if pool["occupied_slots"]} == {}
    run.wait()
    instances = [one for one in run.instances() if one["task_id"] == "dispatch"]
    assert {one["pool"] for one in instances} == {"sms_line_10"}
    assert len(instances) == 3
    with airflow.line() as line, line.cursor() as cursor:
        cursor.execute("SELECT line, dest_no FROM SANDBOX_SENT WHERE app_etc1 LIKE %s", (f"{run.run_id}.%",))
        assert sorted(cursor.fetchall()) == [(10, number) for number in testers]
    assert run.row()["certificate"]["closed"] is True


def test_a_test_send_without_testers_sends_nothing(airflow: RunningAirflow) -> None:
    run = airflow.start(airflow.define("no-testers", 100), test_send=True).wait()
    assert {task.state for task in run.tasks()} == {"skipped"}
    assert run.row()["refusal"].startswith("no_test_file: A test send never goes to the customers.")
    assert run.handed().rows == Counter()

"""A run from its definition to its report through a real Airflow: what people see and scripts read."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from include.delivery.line_connection import connect_line
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
    (event,) = events_of(dirty_run.airflow, dirty_run.run.dag_id)
    assert (event["source_task_id"], event["uri"]) == ("aggregate_results", "bongsu://report/acme/spring-sale")
    told = event["extra"]
    assert (told["run_id"], told["test"]) == (dirty_run.report["run_id"], False)
    assert told["totals"]["accepted"] == dirty_run.truth.recipients


def test_the_audit_log_says_which_person_let_a_run_go(dirty_run: DirtyRun) -> None:
    found = dirty_run.airflow.value(
        "SELECT actor || ', ' || role FROM audit_log WHERE action = 'run started' AND object = %s", dirty_run.run.dag_id
    )
    assert found == "admin, bongsu_app"


def events_of(airflow: RunningAirflow, dag_id: str) -> list[dict[str, Any]]:
    """The asset events that runs of a DAG have made."""
    answer = airflow.api.call("GET", "/api/v2/assets/events", params={"source_dag_id": dag_id, "limit": 50})
    return list(answer["asset_events"])


def test_a_run_in_one_process_gives_the_same_report(airflow: RunningAirflow) -> None:
    file = airflow.define("in-process", 350)
    campaign = airflow.apply(file)
    airflow.api.unpause(campaign.dag_id)
    known = airflow.dags()
    report = airflow.folder / "in-process.json"
    done = airflow.bongsu("run", file, "--in-process", "--report", report)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(report.read_text(encoding="utf-8"))
    assert set(content) >= KEYS
    assert (content["accepted"], content["chunks"], content["books_closed"]) == (350, 4, True)
    assert airflow.handed(content["run_id"]).sent == {f"{content['run_id']}.0.{n}": 1 for n in range(1, 351)}
    # the scheduler beside it would start the same tasks, if it saw the run, and must miss nothing that it had
    assert airflow.runs_of(campaign.dag_id) == []
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


def test_two_runs_in_processes_at_once_each_report_their_own(airflow: RunningAirflow) -> None:
    """The second is refused, as the first one is under way, and says so of itself."""
    file = airflow.define("at-once", 300)
    reports = [airflow.folder / f"at-once-{number}.json" for number in range(2)]
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda report: airflow.bongsu("run", file, "--in-process", "--report", report), reports))
    contents = [json.loads(report.read_text(encoding="utf-8")) for report in reports]
    assert len({content["run_id"] for content in contents}) == 2
    assert sorted(content["state"] for content in contents) == ["finished", "refused"]
    assert sorted(one.returncode for one in done) == [0, 2]
    assert len(list((airflow.databases.home / "logs").glob("in-process-acme-at-once-*"))) == 2
    sent = [len(airflow.handed(content["run_id"]).sent) for content in contents]
    assert sorted(sent) == [0, 300]


def test_a_test_send_goes_to_testers_over_the_test_line_and_waiting_holds_no_worker(airflow: RunningAirflow) -> None:
    testers = numbers(250, start=900_000)
    rows = [("phone", "name"), *((number, "시험") for number in testers)]
    test_file = write_csv(airflow.folder / "testers.csv", rows[0], rows[1:])
    customers = airflow.define("test-send", 300)
    audience = json.loads(customers.read_text(encoding="utf-8"))["audience"] | {"test_file": str(test_file)}
    campaign = airflow.apply(airflow.define("test-send", 300, audience=audience, schedule={"daily": "09:00"}))
    with airflow.held_agents(10):
        run = airflow.start_test(campaign)
        until("the wait for receipts", lambda: run.states("collect_receipts") == ["deferred"])
        pools = airflow.api.call("GET", "/api/v2/pools")["pools"]
        assert {pool["name"]: pool["occupied_slots"] for pool in pools if pool["occupied_slots"]} == {}
    run.wait()
    instances = [one for one in run.instances() if one["task_id"] == "dispatch"]
    assert {one["pool"] for one in instances} == {"sms_line_10"}
    assert len(instances) == 3
    assert instances[0]["rendered_map_index"].startswith("test · chunk ")
    with airflow.line() as line, line.cursor() as cursor:
        cursor.execute("SELECT line, dest_no FROM SANDBOX_SENT WHERE app_etc1 LIKE %s", (f"{run.run_id}.%",))
        assert sorted(cursor.fetchall()) == [(10, number) for number in testers]
    assert run.row()["certificate"]["closed"] is True
    # it says what it is, tells nobody who waits for the campaign, and leaves the schedule as it was
    assert run.dag_run_id.startswith("test__acme__test-send__")
    told = [event for event in events_of(airflow, run.dag_id) if event["extra"].get("run_id") == run.run_id]
    assert [(event["uri"], event["extra"]["test"]) for event in told] == [("bongsu://test-report/acme/test-send", True)]
    assert events_of(airflow, campaign.dag_id) == []
    assert airflow.runs_of(campaign.dag_id) == []
    assert (airflow.api.dag(campaign.dag_id) or {})["is_paused"] is True
    done = airflow.bongsu("report", "test-send", "--tenant", "acme")
    assert done.stdout.startswith("TEST · ")


def test_a_refused_run_fails_and_its_sentence_is_the_first_thing_shown(airflow: RunningAirflow) -> None:
    campaign = airflow.apply(airflow.define("no-testers", 100))
    run = airflow.start_test(campaign).wait("failed")
    assert {task.task_id: task.state for task in run.tasks()} == {
        "guard": "failed",
        **dict.fromkeys(TASKS[1:], "upstream_failed"),
    }
    assert run.row()["refusal"].startswith("no_test_file: A test send never goes to the customers.")
    assert run.handed().rows == Counter()
    sentence = "Nothing is sent. A test send never goes to the customers."
    until("the run's note", lambda: (run.note() or "").startswith(sentence))
    (guard,) = run.tasks("guard")
    assert guard.try_number == 1
    log = run.log(guard)
    assert any(sentence in line for line in log)
    assert not any("Traceback" in line or "RunOver" in line or "SystemExit" in line for line in log)


def test_a_file_that_the_gate_refuses_fails_its_run_with_the_reason_as_its_note(airflow: RunningAirflow) -> None:
    rows = [("02-312-4567", "김철수")] * 60 + [(f"0107700{n:04d}", "이영희") for n in range(40)]
    audience = {"columns": {"phone": "phone", "name": "name"}, "gate": {"min_valid_share": 0.9}}
    file = airflow.define("gate-note", rows)
    document = json.loads(file.read_text(encoding="utf-8"))
    document["audience"] |= audience
    file.write_text(json.dumps(document), encoding="utf-8")
    run = airflow.start(file).wait("failed")
    assert run.states("validate_targets") == ["failed"]
    until("the run's note", lambda: "40 of 100" in (run.note() or ""))
    assert events_of(airflow, run.dag_id) == []


def test_who_waits_for_a_refused_run_is_not_told_that_it_succeeded(airflow: RunningAirflow) -> None:
    campaign = airflow.apply(airflow.define("halted", 100))
    assert airflow.bongsu("state", "halted", "paused").returncode == 0
    run = airflow.start(campaign).wait("failed")
    assert "The campaign is paused" in (run.row()["refusal"] or "")
    assert events_of(airflow, campaign.dag_id) == []
    until("the run's note", lambda: "The campaign is paused" in (run.note() or ""))
    assert airflow.bongsu("state", "halted", "live").returncode == 0
    run.clear(*TASKS)
    run.wait()
    assert len(run.handed().sent) == 100
    assert run.note() is None, "a run that went says no more that it did not"


def test_a_run_with_nobody_left_closes_its_books_and_is_no_success(airflow: RunningAirflow) -> None:
    audience = {"columns": {"phone": "phone", "name": "name"}, "consent": "recorded"}
    file = airflow.define("nobody", 100)
    document = json.loads(file.read_text(encoding="utf-8"))
    document["audience"] |= audience
    file.write_text(json.dumps(document), encoding="utf-8")
    run = airflow.start(file).wait("failed")
    assert run.states("aggregate_results") == ["failed"]
    row = run.row()
    assert (row["state"], row["certificate"]["closed"], row["totals"]["recipients"]) == ("finished", True, 0)
    until("the run's note", lambda: "nobody was left to write to" in (run.note() or ""))
    done = airflow.bongsu("report", "nobody", "--tenant", "acme")
    assert done.returncode == 2
    assert "books closed" in done.stdout


def test_a_chunk_that_fails_for_good_leaves_the_others_receipts_and_books_that_name_it(airflow: RunningAirflow) -> None:
    campaign = airflow.apply(airflow.define("dead-chunk", 300))
    with connect_line(airflow.databases.line_tables_url) as line:
        line.query("RENAME TABLE SMSQ_SEND_2 TO BONGSU_AWAY")
        try:
            with airflow.held_agents(1, 3):
                run = airflow.start(campaign)
                # the wait for the others, too, does without the line that is broken
                until("the wait for receipts", lambda: run.states("collect_receipts") == ["deferred"])
            run.wait("failed")
        finally:
            line.query("RENAME TABLE BONGSU_AWAY TO SMSQ_SEND_2")
    assert run.states("dispatch") == ["success", "failed", "success"]
    assert run.states("collect_receipts") == ["success"]
    row = run.row()
    assert (row["state"], row["certificate"]["closed"]) == ("failed", False)
    assert row["totals"]["delivered"] + row["totals"]["failed"] == 200
    run.clear("dispatch", "collect_receipts", "aggregate_results")
    run.wait()
    assert run.row()["certificate"]["closed"] is True
    assert len(run.handed().sent) == 300


def test_the_kill_switch_holds_a_run_under_way_without_a_worker_until_it_is_lifted(airflow: RunningAirflow) -> None:
    campaign = airflow.apply(airflow.define("held", 300))
    try:
        with airflow.held_lines("SMSQ_SEND_1", "SMSQ_SEND_2", "SMSQ_SEND_3"):
            run = airflow.start(campaign)
            until("chunks that wait for their lines", lambda: airflow.writers("GET_LOCK('SMSQ_SEND_1'"), 120)
            assert airflow.bongsu("halt", "acme", "--reason", "complaint").returncode == 0
        until("chunks that wait", lambda: run.states("dispatch") == ["deferred"] * 3, 120)
        assert run.handed().rows == Counter()
    finally:
        assert airflow.bongsu("lift", "acme").returncode == 0
    run.wait()
    assert len(run.handed().sent) == 300


def test_a_held_run_that_is_cancelled_ends_with_closed_books(airflow: RunningAirflow) -> None:
    campaign = airflow.apply(airflow.define("taken-back", 300))
    with airflow.held_lines("SMSQ_SEND_1", "SMSQ_SEND_2", "SMSQ_SEND_3"):
        run = airflow.start(campaign)
        until("chunks that wait for their lines", lambda: airflow.writers("GET_LOCK('SMSQ_SEND_1'"), 120)
        assert airflow.bongsu("state", "taken-back", "paused").returncode == 0
    until("chunks that wait", lambda: run.states("dispatch") == ["deferred"] * 3, 120)
    done = airflow.bongsu("cancel", str(run.run_id), "--reason", "a wrong price ![](http://a.example/p.png)")
    assert done.returncode == 0, done.stderr
    assert "300 taken back, 0 had left; books closed" in done.stdout
    run.wait("failed")
    assert run.states("dispatch") == ["success"] * 3
    row = run.row()
    assert (row["state"], row["certificate"]["closed"], row["totals"]["cancelled"]) == ("cancelled", True, 300)
    until("the run's note", lambda: run.note())
    assert r"a wrong price \!\[\](http://a.example/p.png)" in (run.note() or ""), "nobody's browser fetches it"
    assert run.handed().rows == Counter()

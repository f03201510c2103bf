"""kill -9 of Airflow's task processes at chosen points, then Airflow's own retry: nobody twice, nobody missing."""

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import pytest

from include.delivery.line_connection import connect_line
from tests.airflow_runs import RunningAirflow, Started, until

pytestmark = pytest.mark.airflow
ROWS, CHUNK = 1_200, 400


@dataclass(frozen=True)
class Killed:
    """A run that was finished after kills: the processes, and the markers and queue rows seen right after each."""

    run: Started
    pids: list[int]
    left: dict[int, tuple[int, int]]


def left_behind(airflow: RunningAirflow, run_id: int) -> dict[int, tuple[int, int]]:
    """By chunk: committed markers, committed rows, as the carrier would see them."""
    found = {}
    with airflow.line() as line, line.cursor() as cursor:
        for chunk in (1, 2, 3):
            cursor.execute("SELECT count(*) FROM BONGSU_HANDOVER WHERE run_id = %s AND chunk_no = %s", (run_id, chunk))
            markers = int(cursor.fetchone()[0])
            found[chunk] = (markers, sum(1 for key in airflow.handed(run_id).rows if _chunk_of(key) == chunk))
    return found


def _chunk_of(key: str) -> int:
    return (int(key.rpartition(".")[2]) - 1) // CHUNK + 1


@pytest.fixture(scope="module")
def killed_dispatch(airflow: RunningAirflow) -> Killed:
    """Three chunks on three lines, each killed at another point: the first before anything is written to the line, the
    second after its marker and before its rows are committed, the third after the line's commit and before the store's.
    """
    campaign = airflow.apply(airflow.define("kill-dispatch", ROWS, chunk_size=CHUNK))
    with airflow.held_lines("SMSQ_SEND_1", "SMSQ_SEND_2", "SMSQ_SEND_3") as release:
        run = airflow.start(campaign)
        until(
            "three chunks that wait for their lines",
            lambda: all(airflow.writers(f"GET_LOCK('SMSQ_SEND_{line}'") for line in (1, 2, 3)),
        )
        run_id = run.run_id
        pids = [airflow.kill("chunk 1 at its line", lambda: airflow.writers("GET_LOCK('SMSQ_SEND_1'"))]
        with connect_line(airflow.databases.line_tables_url) as blocker, blocker.cursor() as cursor:
            # Readers only: the rows wait, the marker is written and not committed.
            cursor.execute("LOCK TABLES SMSQ_SEND_2 READ")
            release("SMSQ_SEND_2")
            pids.append(airflow.kill("chunk 2 in its rows", lambda: airflow.writers("INTO TABLE SMSQ_SEND_2")))
            cursor.execute("UNLOCK TABLES")
        row = "SELECT FROM chunks WHERE run_id = %s AND chunk_no = 3 FOR UPDATE"
        with airflow.held_store(row, run_id):
            release("SMSQ_SEND_3")
            pids.append(airflow.kill("chunk 3 at its store", lambda: airflow.waiting_in_store("UPDATE chunks")))
            left = left_behind(airflow, run_id)
    return Killed(run.wait(), pids, left)


def test_the_kills_came_at_the_points_that_were_meant(killed_dispatch: Killed) -> None:
    assert len(set(killed_dispatch.pids)) == 3
    assert killed_dispatch.left == {1: (0, 0), 2: (0, 0), 3: (1, CHUNK)}


def test_airflow_tried_every_killed_chunk_again(killed_dispatch: Killed) -> None:
    assert [(task.state, task.try_number) for task in killed_dispatch.run.tasks("dispatch")] == [("success", 2)] * 3


def test_after_the_retry_every_recipient_was_sent_once(killed_dispatch: Killed) -> None:
    handed = killed_dispatch.run.handed()
    expected = {f"{killed_dispatch.run.run_id}.0.{number}": 1 for number in range(1, ROWS + 1)}
    assert handed.rows == expected
    assert handed.sent == expected
    assert handed.markers == 3


def test_the_books_of_the_killed_run_close(killed_dispatch: Killed) -> None:
    row = killed_dispatch.run.row()
    assert row["state"] == "finished"
    assert row["certificate"]["closed"] is True
    totals = row["totals"]
    assert (totals["accepted"], totals["unknown"], totals["twice"]) == (ROWS, 0, 0)


KILLED = ("import_targets", "dedupe_targets", "chunk_recipients", "collect_receipts", "aggregate_results")


@pytest.fixture(scope="module")
def killed_stages(airflow: RunningAirflow) -> Started:
    """One run of which every writing stage but the dispatch was killed once, in the middle of its transaction."""

    def held(table: str) -> AbstractContextManager[None]:
        return airflow.held_store(f"LOCK TABLE {table} IN EXCLUSIVE MODE")

    def kill(word: str) -> None:
        airflow.kill(f"a task at {word}", lambda: airflow.waiting_in_store(word))

    campaign = airflow.apply(airflow.define("kill-stages", 600, chunk_size=200))
    # Each lock is there before the task that is to meet it can start.
    with held("report_runs"):
        with ExitStack() as receipts:
            with airflow.held_agents(1, 2, 3):
                with held("chunks"):
                    with held("recipients"):
                        with held("exclusions"):
                            run = airflow.start(campaign)
                            kill("open_staging")
                        kill("INTO recipients")
                    kill("INTO chunks")
                until("the wait for receipts", lambda: run.states("collect_receipts") == ["deferred"])
                receipts.enter_context(held("message_events"))
            kill("INTO message_events")
        kill("report_runs")
    return run.wait()


def test_every_killed_stage_was_tried_again(killed_stages: Started) -> None:
    tries = {task.task_id: task.try_number for task in killed_stages.tasks() if task.task_id in KILLED}
    assert tries == dict.fromkeys(KILLED, 2)


def test_a_killed_import_and_dedupe_give_the_same_audience(killed_stages: Started) -> None:
    airflow = killed_stages.airflow
    run_id = killed_stages.run_id
    again = airflow.start(airflow.apply(airflow.folder / "kill-stages.yaml")).wait()
    row, other = killed_stages.row(), again.row()
    assert row["audience_hash"] == other["audience_hash"]
    assert (row["rows_read"], row["totals"]["recipients"]) == (600, 600)
    numbers = "SELECT count(*) FROM recipients WHERE run_id = %s"
    assert airflow.value(numbers, run_id) == 600


def test_a_killed_run_is_sent_once_and_counted_once(killed_stages: Started) -> None:
    handed, row = killed_stages.handed(), killed_stages.row()
    assert handed.sent == handed.rows == {f"{killed_stages.run_id}.0.{number}": 1 for number in range(1, 601)}
    totals = row["totals"]
    assert totals["delivered"] + totals["failed"] == 600
    assert row["certificate"]["closed"] is True
    events = "SELECT count(*) FROM message_events WHERE run_id = %s"
    assert killed_stages.airflow.value(events, killed_stages.run_id) == 600

"""Airflow asks the policy and shows the sentence; the policy survives Airflow's own serialization."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import MySQLdb
import psycopg
import pytest
from airflow.sdk.exceptions import (
    AirflowNotFoundException,
    AirflowRuntimeError,
    ErrorType,
    TaskDeferralTimeout,
)
from airflow.sdk.execution_time.comms import ErrorResponse
from airflow.serialization.serialized_objects import DagSerialization

from include.errors import BongsuError, HandOverError, MalformedFile, Refused, Unavailable
from include.settings import settings
from include.taxonomy import RETRIES
from operators import receipt_trigger
from operators.campaign_dag import build_dag
from operators.receipt_trigger import ReceiptTrigger
from operators.retries import TryAgainLater, explained
from tests.dags.conftest import make

POLICY = TryAgainLater()


def of_airflow(kind: ErrorType) -> AirflowRuntimeError:
    return AirflowRuntimeError(ErrorResponse(error=kind))


@pytest.fixture(autouse=True)
def pace(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BONGSU_RETRY_SECONDS", "30")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (Refused("x"), None),
        (MalformedFile("f", 1, "p", "f"), None),
        (HandOverError("x"), None),
        (BongsuError("x"), None),
        (TypeError("x"), None),
        (MySQLdb.OperationalError(1045, "x"), None),
        (Unavailable("x"), 30),
        (MySQLdb.OperationalError(2006, "x"), 30),
        (MySQLdb.OperationalError(1040, "x"), 60),
        (psycopg.errors.DiskFull("x"), 900),
        (of_airflow(ErrorType.API_SERVER_ERROR), 30),
        (of_airflow(ErrorType.PERMISSION_DENIED), None),
        (AirflowNotFoundException("x"), 30),
        (TaskDeferralTimeout("x"), 30),
        (SystemExit(1), 30),
    ],
)
def test_only_what_can_get_better_is_tried_again(error: BaseException, pause: int | None) -> None:
    decision = POLICY.evaluate(error, 1, RETRIES)
    assert decision.action.value == ("fail" if pause is None else "retry")
    assert decision.retry_delay == (None if pause is None else timedelta(seconds=pause))
    assert decision.reason
    assert len(decision.reason) <= 500


def test_each_try_waits_longer_until_the_window_is_over() -> None:
    error = MySQLdb.OperationalError(2003, "x")
    decisions = [POLICY.evaluate(error, number, RETRIES) for number in range(1, RETRIES + 2)]
    delays = [decision.retry_delay.total_seconds() for decision in decisions if decision.retry_delay]
    assert delays == [30, 120, 300] + [900] * 21
    assert decisions[-1].action.value == "fail"
    # a clear moves max_tries on, and the window begins anew
    assert POLICY.evaluate(error, 26, 25 + RETRIES).retry_delay == timedelta(seconds=30)


def test_the_setting_of_the_first_pause_scales_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BONGSU_RETRY_SECONDS", "2")
    settings.cache_clear()
    assert POLICY.evaluate(psycopg.errors.DiskFull("x"), 1, RETRIES).retry_delay == timedelta(seconds=60)


def test_it_survives_serialization() -> None:
    data = json.loads(json.dumps(POLICY.serialize()))
    assert TryAgainLater.deserialize(data) == POLICY
    text = json.dumps(DagSerialization.to_dict(build_dag(make("x"))), sort_keys=True)
    assert text == json.dumps(DagSerialization.to_dict(build_dag(make("x"))), sort_keys=True)
    assert " object at 0x" not in text  # nothing that differs from process to process
    core = DagSerialization.from_dict(json.loads(text))
    assert {task.has_retry_policy for task in core.tasks} == {True}


def explain(error: Exception, caplog: pytest.LogCaptureFixture, try_number: int = 1) -> list[str]:
    """What the log of a task says whose work ends with the error."""
    operator = SimpleNamespace(retries=RETRIES, log=logging.getLogger("task"))
    context: Any = {"ti": SimpleNamespace(try_number=try_number, max_tries=RETRIES)}
    caplog.clear()
    with pytest.raises(type(error)), explained(operator, context):
        raise error
    return caplog.messages


def test_the_log_has_the_sentence_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    error = MySQLdb.OperationalError(1213, "Deadlock found")
    (line,) = explain(error, caplog, 3)
    assert "(deadlock) (error 1213). Try 4 of 25 follows in 5 min, at " in line
    error = MySQLdb.IntegrityError(1062, "Duplicate entry '01012345678' for key 'PRIMARY'")
    (line,) = explain(error, caplog)
    assert "It is not tried again" in line
    assert "01012345678" not in f"{line}{error}"


def wait_with(monkeypatch: pytest.MonkeyPatch, answers: list[int | Exception]) -> list[Any]:
    """The trigger's events when the line answers so."""

    def ask(self: ReceiptTrigger) -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(receipt_trigger.ReceiptTrigger, "_rows_waiting", ask)
    closes = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    trigger = ReceiptTrigger("mysql://x", 7, ["SMSQ_SEND_1"], 10, 0.001, closes)

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(events())


def test_a_line_that_is_away_does_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Unavailable("away")
    gone.__cause__ = MySQLdb.OperationalError(2003, "x")
    answers: list[int | Exception] = [
        gone,
        MySQLdb.OperationalError(2013, "x"),
        3,
        MySQLdb.OperationalError(1205, "x"),
        0,
    ]
    assert wait_with(monkeypatch, answers) == [{"run_id": 7}]
    assert answers == []


def test_what_waiting_cannot_cure_is_left_to_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[int | Exception] = [MySQLdb.OperationalError(1045, "x"), 5]
    assert wait_with(monkeypatch, answers) == [{"run_id": 7}]
    assert answers == [5]  # it was not asked again

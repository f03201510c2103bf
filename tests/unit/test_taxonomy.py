"""Every error has its kind, its pauses and one sentence without anybody's data; the page of faults lists them all."""

import csv
import errno
import re
import socket
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import MySQLdb
import psycopg
import pytest

from include import errors, taxonomy_codes
from include.privacy.cipher import KeyRingError
from include.settings import ROOT
from include.taxonomy import RETRIES, Kind, Verdict, attempt_of, classify, scrub, without_values

CASES = Path(__file__).with_name("cases") / "errors.csv"
PAGE = ROOT / "docs" / "operations" / "faults.md"
NOON = datetime(2026, 11, 21, 12, tzinfo=ZoneInfo("Asia/Seoul"))


def of_postgres(state: str, text: str) -> BaseException:
    known = psycopg.errors._sqlcodes.get(state, psycopg.errors.InternalError)
    error = known(text)
    error.sqlstate = state
    return error


def of_http(status: str, text: str) -> BaseException:
    request = httpx.Request("GET", "http://server/")
    return httpx.HTTPStatusError(text, request=request, response=httpx.Response(int(status), request=request))


def of_errno(name: str, text: str) -> BaseException:
    return OSError(getattr(errno, name), text)


MAKE: dict[str, Callable[[str, str], BaseException]] = {
    "postgres": of_postgres,
    "psycopg": lambda name, text: getattr(psycopg, name)(text),
    "mariadb": lambda number, text: MySQLdb.OperationalError(int(number), text),
    "MySQLdb": lambda name, text: getattr(MySQLdb, name)(0, text),
    "python": lambda name, text: getattr(__import__("builtins"), name)(text),
    "socket": lambda name, text: getattr(socket, name)(text),
    "ssl": lambda name, text: getattr(ssl, name)(text),
    "errno": of_errno,
    "httpx": lambda name, text: getattr(httpx, name)(text),
    "http": of_http,
    "ours": lambda name, text: {**vars(errors), "KeyRingError": KeyRingError}[name](text),
}


def cases() -> list[Any]:
    with CASES.open(encoding="utf-8", newline="") as file:
        return [
            pytest.param(*row.values(), id=f"{row['error']} {row['text'][:30]}".strip()) for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(("error", "text", "kind", "delays"), cases())
def test_an_error_has_its_kind_and_pauses(error: str, text: str, kind: str, delays: str) -> None:
    source, name = error.split()
    verdict = classify(MAKE[source](name, text))
    expected = [float(delay) for delay in delays.split()]
    assert verdict.kind == kind
    assert list(verdict.delays[: len(expected)]) == expected
    assert bool(verdict.delays) is bool(expected)
    for attempt in (1, RETRIES, RETRIES + 1):
        sentence = verdict.sentence(attempt)
        assert "\n" not in sentence
        assert len(sentence) <= 500  # what Airflow keeps of a retry's reason
        assert ".." not in sentence
        assert "01012345678" not in sentence


def test_every_kind_and_every_code_class_has_a_case() -> None:
    with CASES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["kind"] for row in rows} == set(Kind)
    states = {row["error"].split()[1] for row in rows if row["error"].startswith("postgres")}
    tested = {prefix for prefix in taxonomy_codes.STORE if any(state.startswith(prefix) for state in states)}
    assert {prefix[:2] for prefix in taxonomy_codes.STORE} - {state[:2] for state in tested} == set()
    numbers = {int(row["error"].split()[1]) for row in rows if row["error"].startswith("mariadb")}
    tested_rules = {rule.what for number, rule in taxonomy_codes.LINE.items() if number in numbers}
    assert {rule.what for rule in taxonomy_codes.LINE.values()} == tested_rules


def test_the_window_of_an_outage_is_six_hours_and_no_other_kind_waits_longer() -> None:
    spans = {kind: sum(Verdict(kind, "", "").delays) for kind in Kind}
    assert spans[Kind.outage] == 6 * 3600
    assert spans[Kind.permanent] == 0
    assert all(5 * 3600 < span <= 6 * 3600 for kind, span in spans.items() if kind is not Kind.permanent)


def test_the_sentence_says_what_happened_what_follows_and_what_to_do() -> None:
    verdict = classify(MySQLdb.OperationalError(2003, "Can't connect to server on '127.0.0.1' (111)"))
    assert verdict.sentence(2, now=NOON) == (
        "The SMS line's database (MariaDB) cannot be reached (error 2003). "
        "Try 3 of 25 follows in 2 min, at 12:02:00 (Seoul). Check that it runs and can be reached."
    )
    assert verdict.sentence(RETRIES + 1, now=NOON) == (
        "The SMS line's database (MariaDB) cannot be reached (error 2003). "
        "It has been tried 25 times and is not tried again. Check that it runs and can be reached. "
        "Then clear the task: nothing is sent twice."
    )
    assert "Looking again in 5 s." in verdict.while_waiting(5)


def test_the_first_pause_scales_them_all() -> None:
    verdict = classify(ConnectionResetError())
    assert [verdict.pause(n, 2 / 30) for n in (1, 2, 3, 4, 24, 25)] == [2, 8, 20, 60, 60, None]
    assert verdict.pause(1, 0) == 0


def test_a_disagreement_is_never_answered_with_a_clear() -> None:
    assert "clear the task" not in classify(errors.HandOverError("9 of 10")).sentence()
    assert "clear the task" not in classify(errors.Refused("no")).sentence()
    assert "Then clear the task" in classify(KeyRingError("gone")).sentence()


def test_what_gave_way_is_judged_by_what_was_behind_it() -> None:
    def behind(cause: BaseException) -> Kind:
        try:
            raise errors.Unavailable("The campaign store does not answer") from cause
        except errors.Unavailable as error:
            return classify(error).kind

    assert behind(MySQLdb.OperationalError(2003, "x")) is Kind.network
    assert behind(psycopg.OperationalError("FATAL:  password authentication failed for user")) is Kind.permanent
    assert behind(psycopg.OperationalError("sorry, too many clients already")) is Kind.rate_limit


@pytest.mark.parametrize(
    ("try_number", "max_tries", "attempt"),
    [
        pytest.param(1, 24, 1, id="the first"),
        pytest.param(24, 24, 24, id="the last that is followed by another"),
        pytest.param(25, 24, 25, id="the very last"),
        pytest.param(26, 49, 1, id="cleared after the last"),
        pytest.param(6, 29, 1, id="cleared after the fifth"),
        pytest.param(1, 0, 25, id="no tries given"),
        pytest.param(1, 99, 1, id="more tries than ours"),
    ],
)
def test_a_clear_begins_the_window_anew(try_number: int, max_tries: int, attempt: int) -> None:
    assert attempt_of(try_number, max_tries) == attempt


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Duplicate entry '01012345678' for key 'PRIMARY'", "Duplicate entry '…' for key 'PRIMARY'"),
        ("Duplicate entry 'Kim' for key 'name'", "Duplicate entry '…' for key 'name'"),
        ("Duplicate entry 'it's-me' for key 'name'", "Duplicate entry '…' for key 'name'"),
        (
            "Incorrect integer value: 'abc' for column 'x' at row 1",
            "Incorrect integer value: '…' for column 'x' at row 1",
        ),
        (
            "Incorrect string value: '\\xF0\\x9F' for column `d`.`t`.`m`",
            "Incorrect string value: '…' for column `d`.`t`.`m`",
        ),
        ('invalid input syntax for type integer: "hong"', "invalid input syntax for type integer: '…'"),
        ('value "99999999999" is out of range', "value '…' is out of range"),
        ("Table 'smsline.SMSQ_SEND_1_202611' doesn't exist", "Table 'smsline.SMSQ_SEND_1_202611' doesn't exist"),
        ('relation "runs" does not exist', 'relation "runs" does not exist'),
        ("bad '홍길동'", "bad '…'"),
        ("call 010-1234-5678 now", "call … now"),
        (
            "duplicate key value\nDETAIL:  Key (phone)=(01012345678) already exists.\nHINT:  none",
            "duplicate key value\n\nHINT:  none",
        ),
        ("bad row\nCONTEXT:  COPY staging, line 7: 홍길동\tline two\nof it", "bad row"),
    ],
)
def test_a_servers_message_keeps_names_and_loses_values(said: str, left: str) -> None:
    assert without_values(said) == left


def test_nobodys_number_reaches_the_sentence_or_the_traceback() -> None:
    number = "01012345678"
    line = MySQLdb.IntegrityError(1062, f"Duplicate entry '{number}' for key 'PRIMARY'")
    store = of_postgres("23505", f"duplicate key\nDETAIL:  Key (phone)=({number}) already exists.")
    away = errors.Unavailable(f"gave way at 'x {number}'")
    away.__cause__ = line
    store.__context__ = away
    for error in (store, away, line):
        assert number not in classify(error).sentence()
        assert number not in classify(error).while_waiting(5)
    scrub(store)
    assert [number in f"{error!s} {error.args!r}" for error in (store, away, line)] == [False] * 3
    assert classify(line).kind is Kind.permanent  # the number of the error is still there
    assert number not in classify(errors.Refused(f"row of {number} is wrong")).sentence()


def test_unknown_errors_name_their_class_only() -> None:
    assert "01012345678" not in classify(ValueError("01012345678 is bad")).sentence()
    assert "(ValueError)" in classify(ValueError("01012345678 is bad")).sentence()


class TestThePageOfFaults:
    """docs/operations/faults.md lists each kind with its pauses, and each code with its kind."""

    def rows(self, heading: str) -> list[list[str]]:
        part = re.split(rf"^## {heading}$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
        part = part.split("\n## ")[0]
        lines = [line for line in part.splitlines() if line.startswith("|")][2:]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    def test_it_has_every_kind_with_its_pauses(self) -> None:
        shown = {row[0].strip("`"): row[2] for row in self.rows("Kinds")}
        assert set(shown) == set(Kind)
        for kind in Kind:
            pauses = dict.fromkeys(Verdict(kind, "", "").delays)
            words = [str(timedelta(seconds=pause)).removeprefix("0:") for pause in pauses]
            assert re.findall(r"\d\d:\d\d", shown[kind]) == words, kind

    @pytest.mark.parametrize(("column", "table"), [(1, "STORE"), (2, "LINE")])
    def test_it_has_every_code_under_its_kind(self, column: int, table: str) -> None:
        shown: dict[str, str] = {}
        for row in self.rows("Codes"):
            for code in re.findall(r"`(\w+)`", row[column]):
                assert code not in shown, f"{code} is listed twice"
                shown[code] = row[0].strip("`")
        assert shown == {str(code): str(rule.kind) for code, rule in getattr(taxonomy_codes, table).items()}

    def test_it_has_every_fault_with_what_is_seen_what_happens_and_what_to_do(self) -> None:
        rows = self.rows("Faults")
        assert all(len(row) == 4 and all(row) for row in rows)
        named = " ".join(row[0].lower() for row in rows)
        for fault in (
            "worker", "scheduler", "triggerer", "dag processor", "api server", "postgresql", "mariadb", "agent",
            "disk", "lock wait", "deadlock", "network", "clock", "store restored", "metadata", "key ring", "password",
            "table", "load data", "books", "receipts",
        ):  # fmt: skip
            assert fault in named, fault

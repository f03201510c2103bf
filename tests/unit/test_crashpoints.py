"""Crash points: all of them are on the protocol's way, their numbers stay, and they cost nothing when off."""

import ast
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from include import crashpoints
from include.audience import freeze
from include.crashpoints import CrashPoint, arm, parse
from include.delivery import dispatch, line, receipts
from include.reporting import books
from include.settings import ROOT

NUMBERS = {
    1: "after_begin",
    2: "after_decision",
    3: "after_freeze",
    4: "after_claim",
    5: "inside_line_transaction",
    6: "after_line_commit",
    7: "before_store_commit",
    8: "after_store_commit",
    9: "between_receipts",
    10: "after_receipts",
    11: "before_books",
    12: "after_books",
}


def calls() -> Iterator[str]:
    """The point of every call of ``reach`` in the product."""
    for room in ("include", "operators", "hooks", "dags"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reach":
                    (argument,) = node.args
                    assert isinstance(argument, ast.Attribute), f"{path}: only a member can be counted"
                    yield argument.attr


def test_numbers_stay() -> None:
    assert {point.number: point.value for point in CrashPoint} == NUMBERS


def test_every_point_is_reached_in_one_place() -> None:
    assert Counter(calls()) == Counter(NUMBERS.values())


def test_off_is_a_function_that_does_nothing() -> None:
    nothing = arm(None)
    assert arm("") is nothing
    assert not nothing.__code__.co_names, "it looks nothing up"
    for module in (crashpoints, freeze, dispatch, line, receipts, books):
        assert vars(module)["reach"] is nothing


@pytest.mark.parametrize("point", CrashPoint)
def test_a_point_is_armed_by_name_or_number(point: CrashPoint) -> None:
    assert parse(point.value) == parse(str(point.number)) == (point, 1)
    assert parse(f"{point.number}:12") == (point, 12)


@pytest.mark.parametrize("value", ["after", "0", "13", "after_claim:0", "after_claim:x", "2:-1", ":1"])
def test_a_misspelt_point_is_an_error(value: str) -> None:
    with pytest.raises(ValueError, match="the points are 1 after_begin, 2 after_decision"):
        parse(value)


@pytest.mark.parametrize(("armed", "told"), [("after_claim", 0), ("4:3", 2)])
def test_the_process_dies_at_the_nth_time(armed: str, told: int) -> None:
    program = (
        "from include.crashpoints import CrashPoint, reach\n"
        "for n in range(9):\n"
        "    reach(CrashPoint.after_freeze)\n"
        "    reach(CrashPoint.after_claim)\n"
        "    print(n, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={"BONGSU_CRASH": armed}, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == [str(n) for n in range(told)]

"""How a check says what is wrong with a definition: the problem, the fix and the field, kept apart."""

from typing import Any

from pydantic_core import PydanticCustomError

MISTAKE = "mistake"
SHOWN = 80


def mistake(problem: str, fix: str, field: str = "") -> PydanticCustomError:
    """The error a validator raises.

    :param problem: what is wrong, without a full stop.
    :param fix: what to write instead, a sentence.
    :param field: the field below the one validated, when a check of several fields blames one of them.
    """
    return PydanticCustomError(MISTAKE, "{problem}. {fix}", {"problem": problem, "fix": fix, "field": field})


def shown(value: Any) -> str:
    """``value`` as a message shows it: on one line, what cannot be seen written as an escape, a long one cut."""
    return cut(repr(value))


def cut(text: str) -> str:
    """``text``, as much of it as a message has room for."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"

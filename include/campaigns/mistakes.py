"""How a check says what is wrong with a definition: the problem, the fix and the field, kept apart."""

from pydantic_core import PydanticCustomError

MISTAKE = "mistake"


def mistake(problem: str, fix: str, field: str = "") -> PydanticCustomError:
    """The error a validator raises.

    :param problem: what is wrong, without a full stop.
    :param fix: what to write instead, a sentence.
    :param field: the field below the one validated, when a check of several fields blames one of them.
    """
    return PydanticCustomError(MISTAKE, "{problem}. {fix}", {"problem": problem, "fix": fix, "field": field})

"""The names of a file's columns: brought to one form, told from a person's data, and shown in errors.

A file without a header row would have its first person read as one, and her name and number written wherever a header
is: into errors, logs and the store. So a header that looks like a person is refused without a word of what is in it.
"""

import re
from collections.abc import Sequence

from include.audience.phones import normalise
from include.audience.reasons import SCIENTIFIC_NOTATION
from include.messages.template import clean

MOST_SHOWN = 20
LONGEST_SHOWN = 40
PERSONAL_FIX = (
    "Add a header row with a name for each column; the name itself must not hold five digits, a phone number, "
    "an e-mail address or a masked value"
)

_PERSONAL = re.compile(
    r"\d(?:[\W_]*\d){4}"  # five digits, whatever stands between them
    r"|[^\s@]@[^\s@]"  # an e-mail address
    r"|\w[*＊○●◯]+\w|[*＊]{2}|\d\W*[xX]{3}"  # a masked name or number
)
_NUMBER = re.compile(r"\d{3,}")


def folded(name: str) -> str:
    """The name composed, without invisible marks, and with one blank for each run of blanks and line breaks."""
    return " ".join(clean(name).split())


def personal_columns(header: Sequence[str]) -> list[int]:
    """The columns, counted from 1, whose name looks like something of a person's."""
    return [place for place, name in enumerate(header, 1) if _is_personal(name)]


def shown(name: str) -> str:
    """A column's name for an error: shortened, its numbers starred."""
    text = _NUMBER.sub(lambda found: "*" * len(found[0]), folded(name))
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def listed(header: Sequence[str]) -> str:
    """The columns' names for an error, at most the first twenty; of a header that was checked."""
    more = len(header) - MOST_SHOWN
    return ", ".join(map(shown, header[:MOST_SHOWN])) + (f" and {more:,} more" if more > 0 else "")


def _is_personal(name: str) -> bool:
    return bool(_PERSONAL.search(name)) or normalise(name)[1] == SCIENTIFIC_NOTATION

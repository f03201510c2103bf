"""Values of a whole column at once: tidied and measured as :mod:`include.messages.template` and
:mod:`include.messages.sizing` do it value by value, but with a few operations on all of them together."""

import codecs
import unicodedata
from collections.abc import Sequence

from include.messages.sizing import MAKE_UP, encodable_size
from include.messages.template import clean

UNSENDABLE = 1 << 30
"""The size of a value that EUC-KR cannot hold: over every limit, whatever is added to it."""

_MARK = b"\x00"  # stands for characters that EUC-KR lacks; no tidied value has it
codecs.register_error("bongsu-mark", lambda error: (_MARK, error.end))  # type: ignore[attr-defined]


def tidy(column: Sequence[str]) -> list[str]:
    """Every value as :func:`include.messages.template.filled` gives it."""
    cleaned = [value if value.isprintable() else clean(value) for value in column]
    joined = "\n".join(cleaned)  # no cleaned value has a line break, and nothing composes with one
    if not unicodedata.is_normalized("NFC", joined):
        cleaned = unicodedata.normalize("NFC", joined).split("\n")
    return ["" if value.isspace() else value for value in cleaned]


def sizes(tidied: Sequence[str]) -> list[int]:
    """Bytes of every tidied value in EUC-KR; :data:`UNSENDABLE` where it has a character that EUC-KR lacks."""
    joined = "\n".join(tidied)
    if joined.isascii():
        return list(map(len, tidied))
    encoded = joined.encode("euc_kr", "bongsu-mark")
    parts = encoded.split(b"\n")
    found = list(map(len, parts))
    if _MARK in encoded or MAKE_UP in encoded:
        for place, part in enumerate(parts):
            if _MARK in part or MAKE_UP in part:
                size = encodable_size(tidied[place])
                found[place] = UNSENDABLE if size is None else size
    return found

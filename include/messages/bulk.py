"""Values of a whole column at once: tidied and measured as :mod:`include.messages.template` and
:mod:`include.messages.sizing` do it value by value, but with a few operations on all of them together."""

import unicodedata
from collections.abc import Sequence
from functools import cache

from include.messages.sizing import encodable_size
from include.messages.template import clean

UNSENDABLE = 1 << 30
"""The size of a value that EUC-KR cannot hold: over every limit, whatever is added to it."""


def tidy(column: Sequence[str]) -> list[str]:
    """Every value as :func:`include.messages.template.filled` gives it."""
    cleaned = [value if value.isprintable() else clean(value) for value in column]
    joined = "\n".join(cleaned)  # no cleaned value has a line break, and nothing composes with one
    if not unicodedata.is_normalized("NFC", joined):
        cleaned = unicodedata.normalize("NFC", joined).split("\n")
    return ["" if value.isspace() else value for value in cleaned]


def sizes(tidied: Sequence[str]) -> list[int]:
    """Bytes of every tidied value in EUC-KR; :data:`UNSENDABLE` where it has a character that EUC-KR lacks.

    Of the characters that nearly all values are made of, one of ASCII has a byte in either encoding and another one two
    in EUC-KR and three in UTF-8, which is encoded much faster.
    """
    joined = "\n".join(tidied)
    if joined.isascii():
        return list(map(len, tidied))
    in_utf8 = map(len, joined.encode().split(b"\n"))
    found = [(characters + encoded) >> 1 for characters, encoded in zip(map(len, tidied), in_utf8, strict=True)]
    odd = set(joined) - _usual()
    if odd:
        for place, value in enumerate(tidied):
            if not odd.isdisjoint(value):
                size = encodable_size(value)
                found[place] = UNSENDABLE if size is None else size
    return found


@cache
def _usual() -> frozenset[str]:
    """ASCII, and the characters of EUC-KR that have three bytes in UTF-8."""
    pairs = (bytes([lead, trail]) for lead in range(0xA1, 0xFF) for trail in range(0xA1, 0xFF))
    two_bytes = {pair.decode("euc_kr", "ignore") for pair in pairs}
    return frozenset(map(chr, range(128))) | {c for c in two_bytes if len(c) == 1 and len(c.encode()) == 3}

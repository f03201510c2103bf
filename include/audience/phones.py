"""Korean mobile numbers as people and spreadsheets write them, brought to one form: ``01012345678``.

Accepted are 010 with eleven digits and the old 011 and 016 to 019 with ten or eleven, written

* with hyphens, dots between groups of digits, spaces (also no-break ones), parentheses, or none of these:
  ``010-1234-5678``, ``010.1234.5678``, ``(010) 1234 5678``;
* with the country code: ``+82 10 …``, ``+82 (0)10 …``, ``0082 10 …``, ``82-10-…``;
* in full-width characters: ``０１０－１２３４－５６７８``;
* as a spreadsheet leaves them: the leading zero lost (``1012345678``), a leading apostrophe, or a number
  exported as a decimal (``1012345678.0``, ``01012345678.0``: ``.0`` at the end is never a group of digits,
  so it is dropped).

Everything else is refused with one of the reasons in :mod:`include.audience.reasons`. Two numbers in one
cell, a name beside the number, thousands separators, decimals and negative numbers are refused too: guessing there
would write to a stranger.
"""

import re
from collections.abc import Sequence

from include.audience.reasons import (
    EMPTY,
    FOREIGN,
    INTERNET_PHONE,
    LANDLINE,
    NOT_A_NUMBER,
    NOT_MOBILE,
    REPRESENTATIVE_NUMBER,
    SCIENTIFIC_NOTATION,
    TOLL_FREE,
    TOO_LONG,
    TOO_SHORT,
)

PhoneResult = tuple[str | None, str | None]
"""``(number, None)`` or ``(None, reason)``."""

_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d"
# What means nothing between digits: blanks, dashes of all kinds, dots, parentheses, invisible marks.
_IGNORED = dict.fromkeys(
    map(
        ord,
        " \t\r\n\v\f\x85\xa0\u1680\u3000\u2028\u2029\u202f\u205f"  # blanks
        "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
        f"{_DASHES}\xad\u30fc"
        ".\xb7\u30fb\u2022"  # dots
        "()"
        "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff",
    )
)
_PLAIN_IGNORED = b" -()"  # of these, what a fast look may drop; a dot may be that of a decimal
# Full-width forms only: other compatibility forms of digits (², ①) are remarks, not part of a number.
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_APOSTROPHES = "'`\u2018\u2019\u00b4\u02bc"
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[eE][+-]?[0-9]+")
_NEGATIVE = re.compile(rf"[^0-9+]*[{_DASHES}][^0-9+]*[1-9]")  # a number whose zero is lost does not follow a minus
_DECIMAL = re.compile(r"[0-9]\.[0-9]")
_LONGER_THAN_A_GROUP = re.compile(r"[0-9]{5}")
_DIGITS = re.compile(r"\+?[0-9]+")
_OLD_MOBILE = ("011", "016", "017", "018", "019")
_AREA_CODES = frozenset(f"0{code}" for code in (31, 32, 33, 41, 42, 43, 44, 51, 52, 53, 54, 55, 61, 62, 63, 64))
_SHORTEST = 7  # a local number without its area code; fewer digits are no subscriber's number


def normalise(raw: str) -> PhoneResult:
    """The number as eleven (or, before 010, ten) digits, or the reason why it is not one."""
    digits = raw.replace("-", "") if len(raw) == 13 else raw
    if len(digits) == 11 and digits.startswith("010") and digits.isdigit() and digits.isascii():
        return digits, None
    if len(raw) == 10 and raw.startswith("10") and raw.isdigit() and raw.isascii():
        return "0" + raw, None  # a whole column is like this once a spreadsheet has seen it as numbers
    return _normalise_anything(raw)


def normalise_many(column: Sequence[str]) -> tuple[list[bytes], dict[int, str]]:
    """As :func:`normalise` for a whole column: the numbers in ASCII, and by their place the reasons of those without.

    Most cells hold digits and what means nothing between them; that is taken out of all of them at once.
    """
    cells = "\n".join(column).encode("ascii", "replace").translate(None, _PLAIN_IGNORED).split(b"\n")
    if len(cells) != len(column):  # a cell with a line break
        cells = [cell.encode("ascii", "replace").translate(None, _PLAIN_IGNORED + b"\n") for cell in column]
    sizes, digits = map(len, cells), map(bytes.isdigit, cells)
    numbers = [
        cell if size == 11 and plain and cell[:3] == b"010" else b""
        for cell, size, plain in zip(cells, sizes, digits, strict=True)
    ]
    reasons: dict[int, str] = {}
    for place, cell in enumerate(cells):
        if numbers[place]:
            continue
        size = len(cell)
        if size == 10 and cell[:2] == b"10" and cell.isdigit() and column[place][0] == "1":  # not a minus before it
            numbers[place] = b"0" + cell
        elif size == 13 and cell[:5] == b"+8210" and cell[1:].isdigit():
            numbers[place] = b"0" + cell[3:]
        else:
            found, reason = normalise(column[place])
            if found is None:
                reasons[place] = reason or NOT_A_NUMBER
            else:
                numbers[place] = found.encode()
    return numbers, reasons


def _normalise_anything(raw: str) -> PhoneResult:
    text = raw.translate(_NARROW).strip().lstrip(_APOSTROPHES)
    if _SCIENTIFIC.fullmatch(text.strip()):
        return None, SCIENTIFIC_NOTATION
    text = text.rstrip().removesuffix(".0")
    if _NEGATIVE.match(text) or (_DECIMAL.search(text) and _LONGER_THAN_A_GROUP.search(text.removeprefix("0082"))):
        return None, NOT_A_NUMBER
    text = text.translate(_IGNORED)
    if not text:
        return None, EMPTY
    if not _DIGITS.fullmatch(text):
        return None, NOT_A_NUMBER
    if text.startswith(("+82", "0082")):
        return _national(_with_zero(text[3:] if text[0] == "+" else text[4:]))
    if text[0] == "+":
        return None, FOREIGN
    if text.startswith("00"):
        return None, FOREIGN if text.strip("0") else NOT_MOBILE
    if text[0] == "0":
        return _national(text)
    if text.startswith("82") and len(text) > 9:
        return _national(_with_zero(text[2:]))
    return _without_zero(text)


def _with_zero(rest: str) -> str:
    return rest if rest.startswith("0") else "0" + rest


def _without_zero(text: str) -> PhoneResult:
    """A number that begins with 1 to 9: a representative number, a local one, or a lost leading zero."""
    if len(text) < _SHORTEST:
        return None, TOO_SHORT
    if len(text) == 8 and text.startswith(("14", "15", "16", "18")):
        return None, REPRESENTATIVE_NUMBER
    if len(text) <= 8 and text[0] != "1":
        return None, LANDLINE
    return _national("0" + text)


def _national(text: str) -> PhoneResult:
    """A number in its national form, with the leading zero."""
    prefix, length = text[:3], len(text)
    if prefix == "010":
        if length == 11:
            return text, None
        return None, TOO_SHORT if length < 11 else TOO_LONG
    if prefix in _OLD_MOBILE:
        if 10 <= length <= 11:
            return text, None
        return None, TOO_SHORT if length < 10 else TOO_LONG
    if length < _SHORTEST:
        return None, TOO_SHORT
    if prefix == "070":
        return None, INTERNET_PHONE
    if prefix == "080":
        return None, TOLL_FREE
    if prefix.startswith("02") or prefix in _AREA_CODES:
        return None, LANDLINE
    return None, NOT_MOBILE

"""What a contact is found by, brought to the one form in which it is stored and searched."""

import re
import unicodedata

from include.audience.phones import normalise
from include.audience.reasons import REASONS
from include.errors import Refused
from include.privacy.cipher import KeyRing

LAST_FOUR = "last four"
"""Domain of the blind index of a number's last four digits."""
LONGEST_WORD = 200

_FOUR = re.compile("[0-9]{4}")
_MOBILE = re.compile(r"01[016789][-. ]?[0-9]{3,4}[-. ]?[0-9]{4}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


def number_of(text: str) -> str:
    """A phone number as ``01012345678``.

    :raises Refused: it is not a mobile number. The text says why, and never quotes the number.
    """
    number, reason = normalise(text)
    if number is None:
        assert reason is not None
        raise Refused(f"number: {REASONS[reason]}.")
    return number


def last_four_of(text: str) -> str:
    """The last digits of a phone number as ``5678``.

    :raises Refused: there are not exactly four digits.
    """
    digits = unicodedata.normalize("NFKC", text).strip()
    if not _FOUR.fullmatch(digits):
        raise Refused("last_four: it is not four digits. Give the last four digits of the number, such as 5678.")
    return digits


def word(field: str, text: str) -> str:
    """A tag, a region or an external id: composed (NFC), single blanks between its words. It is stored as it is.

    :raises Refused: it is empty, too long for an index, holds a control character, or is a phone number.
    """
    clean = " ".join(unicodedata.normalize("NFC", text).split())
    if not clean:
        raise Refused(f"{field}: it is empty. Leave the field out, or fill it in.")
    if len(clean) > LONGEST_WORD:
        raise Refused(f"{field}: it has {len(clean):,} characters. Keep it within {LONGEST_WORD}.")
    if _UNPRINTABLE.search(clean):
        raise Refused(f"{field}: it holds a control character. Remove it.")
    if _MOBILE.fullmatch(clean):
        raise Refused(f"{field}: it is a phone number, and those are stored sealed only. Give it as the number.")
    return clean


def number_index(ring: KeyRing, number: str) -> bytes:
    """The blind index of a number as :func:`number_of` gives it; that of suppressions and recipients, too."""
    return ring.blind_index(number)


def last_four_index(ring: KeyRing, digits: str) -> bytes:
    """The blind index of four digits as :func:`last_four_of` gives them."""
    return ring.blind_index(digits, LAST_FOUR)


def cipher_context(tenant_id: int) -> str:
    """Context of the cipher that seals a tenant's contacts: a value moved to another tenant does not open."""
    return f"contacts:{tenant_id}"

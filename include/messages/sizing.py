"""How many bytes a text takes on the carrier's side, and the limits of SMS and LMS.

Carriers count in EUC-KR: one byte for ASCII (a line break included), two for each of the 8,226 characters
of KS X 1001 (2,350 Hangul syllables, hanja, symbols; € and ® since 1998). The other 8,822 Hangul syllables
(뷁, 똠), emoji and most other scripts do not exist there and would arrive as ``?``. Python's ``euc_kr``
codec writes such a syllable as a make-up sequence of eight bytes, which no handset shows, so here it counts
as missing. CP949 has those syllables; it is not used.
"""

SMS_BYTES = 90
LMS_BYTES = 2000
SUBJECT_BYTES = 40

SMS = "S"
LMS = "L"

_MAKE_UP = b"\xa4\xd4"  # the Hangul filler that begins a make-up sequence


def encodable_size(text: str) -> int | None:
    """Bytes of ``text`` in EUC-KR, or ``None`` when it has a character that EUC-KR lacks."""
    if text.isascii():
        return len(text)
    try:
        encoded = text.encode("euc_kr")
    except UnicodeEncodeError:
        return None
    # The two bytes may also be the end of one character and the beginning of the next, hence the second look.
    if _MAKE_UP in encoded and unencodable(text) is not None:
        return None
    return len(encoded)


def unencodable(text: str) -> str | None:
    """The first character of ``text`` that EUC-KR lacks, if there is one."""
    for character in text:
        try:
            if len(character.encode("euc_kr")) > 2:
                return character
        except UnicodeEncodeError:
            return character
    return None


def describe(character: str) -> str:
    """A character in words that survive any log: ``'뷁' (U+BDC1)``."""
    shown = f"'{character}' " if character.isprintable() else ""
    return f"{shown}(U+{ord(character):04X})" if character else "such character"

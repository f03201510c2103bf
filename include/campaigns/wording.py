"""What the text of a message has to satisfy before any row is known: the advertising rules and the sizes.

The advertising rules are those of the Network Act, article 50: the label at the very start, the free opt-out at the end.
"""

import re
import unicodedata
from typing import Any

from include.campaigns.mistakes import mistake

LABEL = "(광고)"
LABEL_LIKE = re.compile(r"^\s*[\(\[\{<（［【〈《]?\s*\w{0,4}?\s*광\s*[.·\-_]?\s*고\s*[\)\]\}>）］】〉》]?")
OPT_OUT = re.compile(r"무료수신거부[\s:]*080[-\s]?\d{3,4}[-\s]?\d{4}\s*$")
OPT_OUT_EXAMPLE = "무료수신거부 080-123-4567"
SENDER_DIGITS = range(8, 12)


def composed(value: Any) -> Any:
    """Text with its Hangul put together: files written on macOS keep it in parts, which are other characters."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def sender_digits(value: Any) -> Any:
    """The sender number without dashes and blanks, 8 to 11 digits."""
    if not isinstance(value, str):
        return value
    digits = re.sub(r"[-\s]", "", value)
    if not re.fullmatch(r"[0-9]+", digits) or len(digits) not in SENDER_DIGITS:
        raise mistake(
            f"{value!r} is not a sender number", 'Write 8 to 11 digits with the area code, such as "02-1234-5678".'
        )
    return digits


def check_advertising(text: str) -> None:
    """Refuse an advertising text without the label at its start or the free opt-out at its end."""
    if not text.startswith(LABEL):
        found = LABEL_LIKE.match(text)
        problem = f"an advertising text has to start with exactly {LABEL}"
        if found and found.group():
            problem += f", but this one starts with {found.group()!r}"
        elif LABEL in text:
            problem += f", but here {LABEL} comes later"
        raise mistake(
            problem, f"Put {LABEL} first: no blank before or inside it, no other bracket, nothing added.", "message.text"
        )
    if not OPT_OUT.search(text):
        raise mistake(
            "an advertising text has to end with the free opt-out",
            f'End it with "{OPT_OUT_EXAMPLE}", with your own 080 number.',
            "message.text",
        )

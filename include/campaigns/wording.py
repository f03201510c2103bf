"""What the text of a message has to satisfy before any row is known: the advertising rules and the sizes.

The advertising rules are those of the Network Act, article 50: the label at the very start, the free
opt-out at the end.
"""

import re
import unicodedata
from typing import Any

from include.campaigns.mistakes import mistake
from include.messages.sizing import LMS_BYTES, SMS_BYTES, SUBJECT_BYTES, describe, encodable_size, unencodable
from include.messages.template import Template, TemplateError

LABEL = "(광고)"
LABEL_LIKE = re.compile(r"^\s*[\(\[\{<（［【〈《]?\s*\w{0,4}?\s*광\s*[.·\-_]?\s*고\s*[\)\]\}>）］】〉》]?")
OPT_OUT = re.compile(r"무료수신거부[\s:]*080[-\s]?\d{3,4}[-\s]?\d{4}\s*$")
OPT_OUT_EXAMPLE = "무료수신거부 080-123-4567"
SENDER_DIGITS = range(8, 12)


def composed(value: Any) -> Any:
    """Text with its Hangul put together: files written on macOS may keep it in parts."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def sender_digits(value: Any) -> Any:
    """The sender number without dashes and blanks, 8 to 11 digits."""
    if not isinstance(value, str):
        return value
    digits = re.sub(r"[-\s]", "", value)
    if not re.fullmatch(r"[0-9]+", digits) or len(digits) not in SENDER_DIGITS:
        raise mistake(
            f"{value!r} is not a sender number",
            'Write 8 to 11 digits with the area code, such as "02-1234-5678".',
        )
    return digits


def check_text(text: str, allow_lms: bool) -> None:
    """Refuse a text whose fixed parts cannot be sent to anybody, whatever the rows hold."""
    size = _fixed_size(text, "text")
    limit = LMS_BYTES if allow_lms else SMS_BYTES
    if size > limit:
        or_long = "" if allow_lms or size > LMS_BYTES else ", or allow long messages at their price: allow_lms: true"
        raise mistake(
            f"the text without its variables is {size:,} EUC-KR bytes, the limit is {limit:,}",
            f"Shorten it by {size - limit:,}{or_long}.",
            "text",
        )


def check_subject(subject: str) -> None:
    """Refuse a subject whose fixed parts are too long or cannot be sent."""
    size = _fixed_size(subject, "subject")
    if size > SUBJECT_BYTES:
        raise mistake(
            f"the subject is {size} EUC-KR bytes, the limit is {SUBJECT_BYTES}",
            f"Shorten it by {size - SUBJECT_BYTES}.",
            "subject",
        )


def _fixed_size(text: str, field: str) -> int:
    try:
        parts = Template.compile(text).parts
    except TemplateError as error:
        where = f"at its line {error.line}, column {error.column}"
        raise mistake(f"{error.problem} ({where})", f"{error.fix}.", field) from None
    total = 0
    for part in parts:
        literal = part if isinstance(part, str) else part.default or ""
        size = encodable_size(literal)
        if size is None:
            character = describe(unencodable(literal) or "")
            raise mistake(f"SMS and LMS (EUC-KR) have no character {character}", "Replace it.", field)
        total += size if isinstance(part, str) else 0
    return total


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
            problem,
            f"Put {LABEL} first: no blank before or inside it, no other bracket, nothing added.",
            "message.text",
        )
    if not OPT_OUT.search(text):
        raise mistake(
            "an advertising text has to end with the free opt-out",
            f'End it with "{OPT_OUT_EXAMPLE}", with your own 080 number.',
            "message.text",
        )

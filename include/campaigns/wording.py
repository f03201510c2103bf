"""What the words of a definition have to satisfy before any row is known: the advertising rules, the sizes, and
that what is one line is one.

The advertising rules are those of the Network Act, article 50: the label at the very start, the free
opt-out at the end. A text that carries either is advertising, whatever its purpose says.
"""

import re
import unicodedata
from typing import Any

from include.campaigns.mistakes import mistake, shown
from include.messages.sizing import LMS_BYTES, SMS_BYTES, SUBJECT_BYTES, describe, encodable_size, unencodable
from include.messages.template import Template, TemplateError, Variable

LABEL = "(광고)"
_OPEN, _CLOSE = r"[\(\[\{<（［【〈《]", r"[\)\]\}>）］】〉》]"
_LABEL = r"광\s*[.·\-_]?\s*고"
LABEL_LIKE = re.compile(rf"^\s*{_OPEN}?\s*\w{{0,4}}?\s*{_LABEL}\s*{_CLOSE}?")
# Prose may speak of advertising: what counts is the word alone in brackets, or cut off like a label at the start.
LABELLED = re.compile(
    rf"^\s*{_OPEN}\s*\w{{0,4}}?\s*{_LABEL}(?!\w)(?:\s*{_CLOSE})?|^\s*{_LABEL}\s*(?:{_CLOSE}|[:：])|{_OPEN}\s*{_LABEL}\s*{_CLOSE}"
)
OPT_OUT = re.compile(r"무료수신거부[\s:]*(\(\s*)?080[-\s]?([0-9]{3,4}[-\s]?[0-9]{4})(?(1)\s*\))\s*\.?\s*$")
OPT_OUT_LIKE = re.compile(r"무료\s*(?:수신\s*)?거부")
OPT_OUT_EXAMPLE = "무료수신거부 080-123-4567"
_LINE_BREAK = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
# Control characters, and the marks that turn the reading direction of what comes after them.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SENDER_DIGITS = range(8, 12)


def composed(value: Any) -> Any:
    """Text with its Hangul put together: files written on macOS may keep it in parts."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def visible(value: str) -> str:
    """``value``, when it is one line without a control character or a mark that turns the reading direction."""
    if found := _LINE_BREAK.search(value):
        raise mistake(f"{shown(value)} holds a line break (U+{ord(found[0]):04X})", "Write it on one line.")
    if found := _INVISIBLE.search(value):
        raise mistake(f"{shown(value)} holds a character that cannot be seen (U+{ord(found[0]):04X})", "Remove it.")
    return value


def one_line(value: Any) -> Any:
    """Composed text on one line, in which everything can be seen."""
    if not isinstance(value, str):
        return value
    if value.isspace():
        raise mistake("there is nothing but blanks in it", "Write something, or leave the field out.")
    return visible(composed(value))


def sender_digits(value: Any) -> Any:
    """The sender number without dashes and blanks, 8 to 11 digits."""
    if not isinstance(value, str):
        return value
    digits = re.sub(r"[-\s]", "", value)
    is_number = re.fullmatch(r"[0-9]+", digits) and len(digits) in SENDER_DIGITS
    # 00 begins an international call, which no Korean sender number is.
    if not is_number or digits.startswith("00") or len(set(digits)) == 1:
        raise mistake(
            f"{shown(value)} is not a sender number",
            'Write 8 to 11 digits with the area code, such as "02-1234-5678".',
        )
    return digits


def check_text(text: str, allow_lms: bool) -> None:
    """Refuse a text whose fixed parts cannot be sent to anybody, whatever the rows hold."""
    parts = _parts(text, "text")
    if all(part.isspace() if isinstance(part, str) else part.default == "" for part in parts):
        raise mistake(
            "the text is empty for a row without values",
            "Write something beside what may be empty.",
            "text",
        )
    size = _fixed_size(parts, "text")
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
    size = _fixed_size(_parts(subject, "subject"), "subject")
    if size > SUBJECT_BYTES:
        raise mistake(
            f"the subject is {size} EUC-KR bytes, the limit is {SUBJECT_BYTES}",
            f"Shorten it by {size - SUBJECT_BYTES}.",
            "subject",
        )


def _parts(text: str, field: str) -> tuple[str | Variable, ...]:
    try:
        return Template.compile(text).parts
    except TemplateError as error:
        where = f"at its line {error.line}, column {error.column}"
        raise mistake(f"{error.problem} ({where})", f"{error.fix}.", field) from None


def _fixed_size(parts: tuple[str | Variable, ...], field: str) -> int:
    total = 0
    for part in parts:
        literal = part if isinstance(part, str) else part.default or ""
        if "\t" in literal:
            raise mistake("there is a tab in it, which phones show in different ways", "Write blanks.", field)
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
    opt_out = OPT_OUT.search(text)
    if opt_out is None:
        raise mistake(
            "an advertising text has to end with the free opt-out",
            f'End it with "{OPT_OUT_EXAMPLE}", with your own 080 number.',
            "message.text",
        )
    if not re.search(r"[1-9]", opt_out[2]):
        raise mistake("the opt-out's number is only zeros", "Write your own 080 number.", "message.text")
    if not text[len(LABEL) : opt_out.start()].strip():
        raise mistake(
            f"there is nothing between {LABEL} and the opt-out", "Say who writes, and what for.", "message.text"
        )


def check_no_advertising(purpose: str, field: str, text: str) -> None:
    """Refuse the label or an opt-out in a message of another purpose, which goes also to people who opted out, and
    at night.
    """
    # as a row without values is written to, so that no variable stands in a label's way
    read = "".join(part if isinstance(part, str) else part.default or "" for part in _parts(text, field))
    found = LABELLED.search(read) or OPT_OUT_LIKE.search(read)
    if found:
        raise mistake(
            f"{shown(found[0].strip())} makes this advertising, but the purpose is {purpose}",
            "Write purpose: advertising, or remove it from a message that advertises nothing.",
            f"message.{field}",
        )

"""One campaign's message against many rows: does it work for this row, and what does the person read?

The fixed parts of the text are measured once; a row costs only the size of its values. Mistakes in the
fixed parts concern everybody, so they refuse the campaign when the plan is made, not row by row.
"""

import difflib
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

from include.audience.header import listed, shown
from include.audience.reasons import (
    MISSING_VARIABLE,
    SUBJECT_TOO_LONG,
    TEXT_TOO_LONG,
    UNENCODABLE,
)
from include.errors import Refused
from include.messages.bulk import UNSENDABLE, sizes
from include.messages.sizing import (
    LMS,
    LMS_BYTES,
    SMS,
    SMS_BYTES,
    SUBJECT_BYTES,
    describe,
    encodable_size,
    unencodable,
)
from include.messages.template import Template, clean

TEXT = "message.text"
SUBJECT = "message.subject"


class Problem(NamedTuple):
    """Why a row gets no message.

    :param field: the variable at fault, or ``message.text`` / ``message.subject`` when it is the whole.
    :param reason: a name of :mod:`include.audience.reasons`.
    :param detail: the variable, the character, or bytes against the limit; never a person's value.
    """

    field: str
    reason: str
    detail: str


class _Measure:
    """The size of one template for a row, without rendering it."""

    def __init__(self, template: Template, columns: Sequence[str], field: str) -> None:
        self.template, self.field = template, field
        position = {name: index for index, name in enumerate(columns)}
        self.fixed = 0
        # For each variable in the audience: name, place in the row, how often it stands with a default (and
        # their bytes together), how often without.
        slots: dict[str, list[int]] = {}
        for part in template.parts:
            if isinstance(part, str):
                self.fixed += _fixed_size(part, field)
                continue
            default = None if part.default is None else _fixed_size(part.default, field)
            if part.name in position:
                slot = slots.setdefault(part.name, [0, 0, 0])
                slot[0] += 1
                slot[1] += default or 0
                slot[2] += default is None
            elif default is None:
                raise _unknown_variable(part.name, columns, field)
            else:
                self.fixed += default
        self.slots = tuple((position[n], times, blank, bool(must), n) for n, (times, blank, must) in slots.items())

    def sizes(self, by_place: Mapping[int, Sequence[int]], rows: int) -> list[int]:
        """As :meth:`size` for the rows of a batch; ``UNSENDABLE`` or more where there is a problem."""
        total = [self.fixed] * rows
        for column, times, blank, required, _ in self.slots:
            empty = UNSENDABLE if required else blank
            total = [sum_ + (size * times or empty) for sum_, size in zip(total, by_place[column], strict=True)]
        return total

    def size(self, row: Sequence[str]) -> int | Problem:
        """Bytes of the rendered text, or the problem that keeps it from being rendered."""
        total = self.fixed
        for column, times, blank, required, name in self.slots:
            value = row[column]
            if value.isascii() and value.isprintable():
                size: int | None = len(value)
            else:
                value = clean(value)
                size = encodable_size(value)
            if not value or value.isspace():
                if required:
                    return Problem(name, MISSING_VARIABLE, f"{{{{{name}}}}} is empty")
                total += blank
            elif size is None:
                return Problem(name, UNENCODABLE, f"{describe(unencodable(value) or '')} in {{{{{name}}}}}")
            else:
                total += size * times
        return total


class MessagePlan:
    """The message of a campaign, prepared for rows whose values are positioned like ``columns``.

    :raises Refused: when the fixed text cannot be sent to anybody: a variable that the audience does not
        have, a character that EUC-KR lacks, or fixed parts that are already too long.
    """

    def __init__(self, text: str, subject: str | None, allow_lms: bool, columns: Sequence[str]) -> None:
        self.limit = LMS_BYTES if allow_lms else SMS_BYTES
        self._text = _Measure(Template.compile(text), columns, TEXT)
        # Without LMS the subject is never sent, and no row can fail because of it.
        self._subject = _Measure(Template.compile(subject), columns, SUBJECT) if subject and allow_lms else None
        self.text_pattern = self._text.template.plan(columns)
        self.subject_pattern = self._subject.template.plan(columns) if self._subject else None
        if self._text.fixed > self.limit:
            raise Refused(
                f"{TEXT}: the fixed text alone is {self._text.fixed:,} bytes, the limit is {self.limit:,}. "
                + ("Shorten it" if allow_lms else "Shorten it, or allow LMS")
            )
        if self._subject and self._subject.fixed > SUBJECT_BYTES:
            raise Refused(
                f"{SUBJECT}: the fixed part alone is {self._subject.fixed} bytes, "
                f"the limit is {SUBJECT_BYTES}. Shorten it"
            )

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of text and subject, each once."""
        names = self._text.template.variables
        if self._subject:
            names += self._subject.template.variables
        return tuple(dict.fromkeys(names))

    def decide(self, row: Sequence[str]) -> str | Problem:
        """The message type for ``row``, ``S`` or ``L``, or the reason why it gets no message."""
        size = self._text.size(row)
        if isinstance(size, Problem):
            return size
        if size <= SMS_BYTES:
            return SMS
        if size > self.limit:
            return Problem(TEXT, TEXT_TOO_LONG, f"{size:,} bytes, the limit is {self.limit:,}")
        if self._subject is None:
            return LMS
        subject = self._subject.size(row)
        if isinstance(subject, Problem):
            return subject
        if subject > SUBJECT_BYTES:
            return Problem(SUBJECT, SUBJECT_TOO_LONG, f"{subject} bytes, the limit is {SUBJECT_BYTES}")
        return LMS

    def decide_many(self, rows: Sequence[Sequence[str]], columns: Mapping[int, Sequence[str]]) -> list[str | Problem]:
        """As :meth:`decide` for every row of a batch.

        :param columns: the values of the plan's variables, tidied (:func:`include.messages.bulk.tidy`), by their place.
        """
        by_place = {place: sizes(column) for place, column in columns.items()}
        text = self._text.sizes(by_place, len(rows))
        if max(text, default=0) <= SMS_BYTES:
            return [SMS] * len(rows)
        subject = self._subject.sizes(by_place, len(rows)) if self._subject else repeat(0)
        return [
            SMS if size <= SMS_BYTES else LMS if size <= self.limit and head <= SUBJECT_BYTES else self.decide(row)
            for row, size, head in zip(rows, text, subject, strict=False)
        ]

    def render(self, kind: str, row: Sequence[str]) -> tuple[str | None, str]:
        """Subject and text for a row that :meth:`decide` found to be of ``kind``; an SMS has no subject.

        :param row: values as they are stored: tidied, a blank one empty.
        :raises MissingVariable: for a row that :meth:`decide` refuses.
        """
        subject = self.subject_pattern.fill(row) if kind == LMS and self.subject_pattern else None
        return subject, self.text_pattern.fill(row)


def _fixed_size(literal: str, field: str) -> int:
    size = encodable_size(literal)
    if size is None:
        raise Refused(
            f"{field}: SMS and LMS (EUC-KR) have no character {describe(unencodable(literal) or '')}. "
            "Replace it in the campaign's text"
        )
    return size


def _unknown_variable(name: str, columns: Sequence[str], field: str) -> Refused:
    close = difflib.get_close_matches(name, columns, n=1)
    hint = f"Did you mean {{{{{shown(close[0])}}}}}? " if close else ""
    return Refused(
        f"{field}: the audience has no column for {{{{{name}}}}}. {hint}It has: {listed(columns)}. "
        f"Map a column to it, or give it a default: {{{{{name}|…}}}}"
    )

"""Message text with variables: ``{{name}}``, ``{{ name }}``, and with a default ``{{name|고객}}``.

* A default stands in when the value is missing or blank; it may be empty (``{{name|}}``). Without one, a
  missing or blank value raises :class:`MissingVariable`: nobody gets "Dear ,".
* Single braces and ``{{}}`` are text. An unclosed ``{{`` is a mistake, reported with its place.
* Values go in as they are and are never looked at again: a value that contains ``{{x}}`` stays that. Three
  things are tidied (:func:`clean`), because they come from files and not from people: decomposed Hangul is
  composed (NFC), control characters, line breaks and no-break spaces become one space a run, and invisible
  marks (of no width, soft hyphens) are dropped.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from include.errors import BongsuError

_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")
_TO_SPACE = re.compile(r"[\x00-\x1f\x7f-\xa0\u2028\u2029\u202f]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TO_NOTHING = re.compile(r"[\xad\u200b-\u200d\ufeff]+")


class TemplateError(BongsuError):
    """A template that cannot be compiled; ``line`` and ``column`` count from 1, ``position`` from 0."""

    def __init__(self, text: str, position: int, problem: str, fix: str) -> None:
        self.position, self.problem, self.fix = position, problem, fix
        self.line = text.count("\n", 0, position) + 1
        self.column = position - (text.rfind("\n", 0, position) + 1) + 1
        super().__init__(f"line {self.line}, column {self.column}: {problem}. {fix}")


class MissingVariable(BongsuError):
    """A variable without default has no value."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{{{{{name}}}}} has no value. Fill it in or give it a default: {{{{{name}|…}}}}")


@dataclass(frozen=True)
class Variable:
    """One place in the text where a value goes; ``default`` is ``None`` where the value is required."""

    name: str
    default: str | None


def clean(value: str) -> str:
    """A value as it goes into a message: composed, on one line, without control characters."""
    if value.isprintable():
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    return unicodedata.normalize("NFC", _TO_NOTHING.sub("", _TO_SPACE.sub(" ", value)))


def filled(value: str) -> str:
    """The cleaned value, or ``""`` when there is nothing but blanks in it."""
    value = clean(value)
    return "" if value.isspace() else value


@dataclass(frozen=True)
class Template:
    """A compiled text: literal parts and variables in their order."""

    parts: tuple[str | Variable, ...]

    @classmethod
    def compile(cls, text: str) -> "Template":
        """Compile ``text``; line ends are made ``\\n``, which counts one byte in an SMS."""
        text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
        if control := _CONTROL.search(text):
            problem = f"the control character U+{ord(control[0]):04X}, which no message has"
            raise TemplateError(text, control.start(), problem, "Remove it")
        parts: list[str | Variable] = []
        literal, end = "", 0
        for match in _VARIABLE.finditer(text):
            between = text[end : match.start()]
            _refuse_unclosed(text, end, between)
            literal, end = literal + between, match.end()
            if not match[1].strip():
                literal += match[0]
                continue
            if literal:
                parts.append(literal)
                literal = ""
            parts.append(_variable(text, match))
        _refuse_unclosed(text, end, text[end:])
        literal += text[end:]
        if literal:
            parts.append(literal)
        return cls(tuple(parts))

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """All variables, each once, in the order of the text."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Variable)))

    def render(self, values: Mapping[str, str]) -> str:
        """The text with ``values`` filled in.

        :raises MissingVariable: when a value without default is missing or blank.
        """
        out = []
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
                continue
            value = filled(values.get(part.name) or "") or part.default
            if value is None:
                raise MissingVariable(part.name)
            out.append(value)
        return "".join(out)

    def plan(self, columns: Sequence[str]) -> "Pattern":
        """The text over rows whose values are tidied (:func:`filled`) and positioned like ``columns``.

        :raises MissingVariable: a variable without default is in no column.
        """
        position = {name: index for index, name in enumerate(columns)}
        text, slots = "", []
        for part in self.parts:
            if isinstance(part, str):
                text += part.replace("%", "%%")
            elif part.name in position:
                text += "%s"
                slots.append(Slot(position[part.name], part.name, part.default))
            elif part.default is None:
                raise MissingVariable(part.name)
            else:
                text += part.default.replace("%", "%%")
        return Pattern(text, slots)


class Slot(NamedTuple):
    """A place in a text: the value's place in the row, and what stands there when it is blank."""

    place: int
    name: str
    default: str | None


class Pattern:
    """A text with ``%s`` where the values of a row go; patterns can be put together to longer ones.

    :ivar text: the format, a literal percent sign doubled.
    :ivar slots: what goes into each ``%s``, in order.
    """

    def __init__(self, text: str, slots: Sequence[Slot]) -> None:
        self.text, self.slots = text, tuple(slots)

    def fill(self, row: Sequence[str]) -> str:
        """The text for ``row``.

        :raises MissingVariable: a value without default is blank.
        """
        return self.text % tuple(row[slot.place] or _default(slot) for slot in self.slots)

    def fill_many(self, columns: Sequence[Sequence[bytes]]) -> bytes:
        """The texts of many rows, one behind the other, in UTF-8.

        :param columns: the rows' values by their place, in UTF-8.
        :raises MissingVariable: a value without default is blank.
        """
        pieces = self._pieces * len(columns[0])
        for place, slot in enumerate(self.slots):
            column = columns[slot.place]
            if not all(column):
                column = [value or _default(slot).encode() for value in column]
            pieces[2 * place + 1 :: len(self._pieces)] = column
        return b"".join(pieces)

    @cached_property
    def _pieces(self) -> list[bytes]:
        """The literal parts in UTF-8, with nothing between them where the values go."""
        literals = (self.text % (("\0",) * len(self.slots))).split("\0")  # no template has a NUL
        pieces = [b""] * (2 * len(literals) - 1)
        pieces[::2] = [literal.encode() for literal in literals]
        return pieces


def _default(slot: Slot) -> str:
    if slot.default is None:
        raise MissingVariable(slot.name)
    return slot.default


def _refuse_unclosed(text: str, start: int, literal: str) -> None:
    opened = literal.find("{{")
    if opened >= 0:
        raise TemplateError(
            text,
            start + opened,
            "{{ is opened and not closed, or has braces inside",
            "Write {{name}}, or a single { for a brace in the text",
        )


def _variable(text: str, match: re.Match[str]) -> Variable:
    name, bar, default = match[1].partition("|")
    name = name.strip()
    if not name:
        raise TemplateError(text, match.start(), "the variable has no name", "Write {{name|default}}")
    if not name.isprintable():
        raise TemplateError(
            text,
            match.start(),
            "the variable's name holds a line break or a control character",
            "Write {{name}}",
        )
    return Variable(" ".join(name.split()), default.strip() if bar else None)  # as the names of columns are folded

"""A batch of the file's rows, judged and sealed, as the bytes that COPY wants for the staging table.

It works on columns: what most values of a batch need is done for all of them at once, and only the odd ones are looked
at one by one. The decisions are those of :func:`include.audience.phones.normalise` and
:meth:`include.messages.plan.MessagePlan.decide`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import itemgetter
from struct import Struct, pack

from include.audience.columns import PHONE, ColumnPlan
from include.audience.phones import normalise_many
from include.messages.bulk import tidy
from include.messages.plan import MessagePlan, Problem
from include.privacy.cipher import INDEX_BYTES, KeyRing
from include.privacy.mask import mask_phone, mask_text

SEPARATOR = "\x1f"
YES = frozenset({"y", "yes", "o", "1", "true", "t", "예", "네", "동의", "수신동의", "수신", "허용"})

# COPY's binary form: the number of fields, then each field behind its length; -1 is null.
_FIELDS = 11
_NULL = pack(">i", -1)
_HEAD = Struct(">hiiii")  # fields, tenant_id, row_no
_LENGTH = Struct(">i")
_NOTHING_REJECTED = _NULL * 4
_PIECES = 6


class _Middles(dict[tuple[int, bool | None, str], bytes]):
    """The fields between a usable row's number and its index: few of them differ."""

    def __missing__(self, key: tuple[int, bool | None, str]) -> bytes:
        blanks, consent, kind = key
        self[key] = _judged(blanks, consent) + _field(kind.encode()) + _LENGTH.pack(INDEX_BYTES)
        return self[key]


@dataclass(frozen=True)
class Job:
    """All that is needed to turn rows of a run's file into rows of its staging table.

    :param columns: the file's columns and their variables.
    :param context: of the cipher that seals the run's rows.
    :param watched: the columns whose empty cells the gate counts.
    """

    tenant_id: int
    columns: ColumnPlan
    text: str
    subject: str | None
    allow_lms: bool
    ring: KeyRing = field(repr=False)
    context: str
    watched: tuple[str, ...]


class Packer:
    """Turns rows of the file into rows of the staging table.

    :raises Refused: a column is missing, or the text cannot be sent to anybody.
    :ivar sealed: the variables of a payload in their order, the phone number first: what the message uses and no more.
    """

    def __init__(self, job: Job) -> None:
        columns = job.columns
        self._tenant_id, self._phone = job.tenant_id, columns.phone
        plan = MessagePlan(job.text, job.subject, job.allow_lms, columns.variables)
        self._names = {name: place for place, name in enumerate(columns.variables)}
        self._consent = self._names.get("consent")
        self._watched = [(columns.index(name), 1 << bit) for bit, name in enumerate(job.watched)]
        self._plan, self._ring, self._cipher = plan, job.ring, job.ring.cipher(job.context)
        self._used = [self._names[name] for name in plan.variables if name in self._names]
        values = [place for place in self._used if place != self._phone]
        self.sealed = [PHONE, *(columns.variables[place] for place in values)]
        self._values = values

    def pack(self, first_row: int, rows: list[list[str]]) -> bytes:
        """The staging rows of a batch: the usable ones in the file's order, then the rejected ones.

        :param rows: all values of each row; ``first_row`` numbers the first.
        """
        blanks, consents = self._blanks(rows), self._consents(rows)
        phones = [row[self._phone] for row in rows]
        numbers, unusable = normalise_many(phones)
        values = {place: tidy([row[place] for row in rows]) for place in self._values}
        if self._phone in self._used:
            values[self._phone] = [number.decode() for number in numbers]
            for row, number in zip(rows, values[self._phone], strict=True):
                row[self._phone] = number
        kinds = self._plan.decide_many(rows, values)
        rejected: list[bytes] = []
        for place, kind in enumerate(kinds):
            if place in unusable:
                problem, masked = Problem(PHONE, unusable[place], ""), mask_phone(phones[place])
            elif isinstance(kind, Problem):
                problem, masked = kind, self._masked(kind, rows[place], numbers[place])
                unusable[place] = kind.reason
            else:
                continue
            rejected.append(self._rejected(first_row + place, blanks[place], consents[place], problem, masked))
        usable = [place for place in range(len(rows)) if place not in unusable]
        if not usable:
            return b"".join(rejected)
        taken = itemgetter(*usable) if len(usable) > 1 else lambda column: (column[usable[0]],)
        heads = zip(taken(blanks), taken(consents), taken(kinds), strict=True)
        clear = _payloads(taken(numbers), [taken(values[place]) for place in self._values])
        indexes = self._ring.blind_indexes(taken(numbers))
        row_numbers = list(map(first_row.__add__, usable))
        sealed = self._cipher.seal_many(clear, map(bound_to, row_numbers, indexes))
        parts = [_NOTHING_REJECTED] * (_PIECES * len(usable))
        parts[0::_PIECES] = map(_HEAD.pack, repeat(_FIELDS), repeat(4), repeat(self._tenant_id), repeat(4), row_numbers)
        parts[1::_PIECES] = map(_Middles().__getitem__, heads)
        parts[2::_PIECES] = indexes
        parts[3::_PIECES] = map(_LENGTH.pack, map(len, sealed))
        parts[4::_PIECES] = sealed
        return b"".join(parts + rejected)

    def _rejected(self, row_no: int, blanks: int, consent: bool | None, problem: Problem, masked: str) -> bytes:
        said = (problem.field, problem.reason, problem.detail, masked)
        fields = [_field(None if value is None else value.encode()) for value in said]
        head = _HEAD.pack(_FIELDS, 4, self._tenant_id, 4, row_no)
        return b"".join([head, _judged(blanks, consent), _NULL * 3, *fields])

    def _masked(self, problem: Problem, row: list[str], number: bytes) -> str:
        place = self._names.get(problem.field)
        return mask_phone(number.decode()) if place is None else mask_text(row[place])

    def _blanks(self, rows: list[list[str]]) -> list[int]:
        found = [0] * len(rows)
        for place, bit in self._watched:
            found = [bits if row[place].strip() else bits | bit for bits, row in zip(found, rows, strict=True)]
        return found

    def _consents(self, rows: list[list[str]]) -> list[bool | None]:
        if self._consent is None:
            return [None] * len(rows)
        column = [row[self._consent] for row in rows]
        answers = {answer: answer.strip().lower() in YES for answer in set(column)}
        return [answers[answer] for answer in column]


def bound_to(row_no: int, index: bytes) -> bytes:
    """What a row's payload is sealed to, beside the tenant and the run: its number in the file and its number's index.

    A payload copied to another row, or a row whose index was changed, does not open.
    """
    return _LENGTH.pack(row_no) + index


def _payloads(numbers: Sequence[bytes], texts: Sequence[Sequence[str]]) -> list[bytes]:
    """The clear payloads: number and tidied values, joined."""
    if not texts:
        return list(numbers)
    joined = "\n".join(texts[0] if len(texts) == 1 else map(SEPARATOR.join, zip(*texts, strict=True)))
    parts = joined.encode().split(b"\n")  # a tidied value has no line break
    separator = SEPARATOR.encode()
    return [number + separator + part for number, part in zip(numbers, parts, strict=True)]


def _judged(blanks: int, consent: bool | None) -> bytes:
    return pack(">iq", 8, blanks) + _field(None if consent is None else bytes([consent]))


def _field(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH.pack(len(value)) + value

"""Rows judged and sealed a batch at a time say what they say one by one, and COPY's binary form holds them."""

import os
import struct
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from include.audience.columns import ColumnPlan
from include.audience.packing import SEPARATOR, YES, Job, Packer, bound_to
from include.audience.phones import normalise, normalise_many
from include.errors import Refused
from include.messages.bulk import UNSENDABLE, sizes, tidy
from include.messages.plan import MessagePlan, Problem
from include.messages.sizing import encodable_size
from include.messages.template import filled
from include.privacy.cipher import KeyRing
from include.privacy.mask import mask_phone, mask_text

VARIABLES = ("name", "phone", "consent", "note")
RING = KeyRing({3: os.urandom(32)}, 3, os.urandom(32))
ODD = st.sampled_from(
    [
        "",
        " ",
        "\u3000",
        "\xa0",
        "뷁",
        "김뷁",
        "😀",
        "\u1112\u1161\u11ab",
        "\u1161",
        "a\nb",
        "a\r\n\nb",
        "\u200b",
        "홍\u200d길\xad동",
        "가" * 50,
        "@",
    ]
)
VALUE = st.text("가나다 aZ?~é\u0301\u3000\n\t\u2028뷁😀", max_size=12) | ODD
PHONE = st.text("0123456789-() .+'e\n０١", max_size=16) | st.sampled_from(
    [
        *("010-1234-5678", "01012345678", "1012345678", "+82 10-1234-5678", "+82(0)10-1234-5678", "0082 10 1234 5678"),
        *(
            "０１０-1234-5678",
            "1012345678.0",
            "0101234567.0",
            "01012345678.0",
            "'01012345678",
            "02-123-4567",
            "1588-1234",
        ),
        *("+8210123456789", "+82101234567８", "82-10-1234-5678", "010-1234-567", "010-1234-56789", "", "1.01E+09"),
    ]
)
ROW = st.tuples(VALUE, PHONE, st.sampled_from(["Y", " 예 ", "N", "", "네"]), VALUE).map(list)
TEXT = st.sampled_from(
    ["고정", "{{name}}님", "{{name|고객}} {{note|}} {{name}}", "{{phone}} {{note}}", "a" * 80 + "{{name|b}}", "a" * 91]
)


def fields(packed: bytes) -> Iterator[list[bytes | None]]:
    """The rows of COPY's binary form."""
    place = 0
    while place < len(packed):
        (count,) = struct.unpack_from(">h", packed, place)
        place += 2
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", packed, place)
            place += 4
            row.append(None if length < 0 else packed[place : place + length])
            place += max(length, 0)
        yield row
    assert place == len(packed)


def expected(plan: MessagePlan, row: list[str]) -> tuple[object, ...]:
    """What a row comes to, looked at by itself: kind, number, values; or field, reason, detail, masked value."""
    number, reason = normalise(row[1])
    if number is None:
        return ("phone", reason, "", mask_phone(row[1]))
    values = [row[0], number, *row[2:]]
    kind = plan.decide(values)
    if isinstance(kind, Problem):
        place = VARIABLES.index(kind.field) if kind.field in VARIABLES else None
        return (*kind, mask_phone(number) if place is None else mask_text(values[place]))
    used = [filled(values[VARIABLES.index(name)]) for name in plan.variables if name != "phone"]
    return (kind, number, [number, *used])


@given(st.lists(ROW, min_size=1, max_size=12), TEXT, st.none() | TEXT, st.booleans(), st.booleans())
def test_a_batch_says_what_its_rows_say(
    rows: list[list[str]], text: str, subject: str | None, allow_lms: bool, watch: bool
) -> None:
    job = Job(
        7, ColumnPlan(VARIABLES, VARIABLES), text, subject, allow_lms, RING, "run:1", ("note", "phone") if watch else ()
    )
    try:
        packer = Packer(job)
    except Refused:
        return
    plan = MessagePlan(text, subject, allow_lms, VARIABLES)
    wanted = [expected(plan, row) for row in rows]
    given_rows = [row.copy() for row in rows]
    found = {int.from_bytes(row[1] or b""): row for row in fields(packer.pack(100, given_rows))}
    assert sorted(found) == list(range(100, 100 + len(rows)))
    unseal = RING.cipher("run:1").open
    for number, (want, row) in enumerate(zip(wanted, rows, strict=True), 100):
        tenant, _, blanks, consent, kind, index, payload, *said = found[number]
        assert tenant == struct.pack(">i", 7)
        assert int.from_bytes(blanks or b"") == watch * ((not row[3].strip()) + 2 * (not row[1].strip()))
        assert consent == bytes([row[2].strip().lower() in YES])
        if len(want) == 4:
            assert [None if value is None else value.decode() for value in said] == list(want)
            assert kind is index is payload is None
        else:
            assert (kind or b"").decode() == want[0]
            assert index == RING.blind_index(str(want[1]))
            assert unseal(payload or b"", bound_to(number, index or b"")).decode().split(SEPARATOR) == want[2]
            assert said == [None] * 4


@given(st.lists(PHONE, min_size=1, max_size=8))
def test_a_column_of_numbers_is_read_like_each_of_them(column: list[str]) -> None:
    numbers, reasons = normalise_many(column)
    one_by_one = [normalise(cell) for cell in column]
    assert [number.decode() or None for number in numbers] == [number for number, _ in one_by_one]
    assert [reasons.get(place) for place in range(len(column))] == [reason for _, reason in one_by_one]


@given(st.lists(VALUE | st.text(max_size=5), min_size=1, max_size=8))
def test_a_column_is_tidied_and_measured_like_each_value(column: list[str]) -> None:
    assert tidy(column) == [filled(value) for value in column]
    one_by_one = [encodable_size(filled(value)) for value in column]
    assert sizes(tidy(column)) == [UNSENDABLE if size is None else size for size in one_by_one]

"""Phone numbers as they stand in real files; the cases are in cases/phones.csv."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.audience.phones import normalise
from include.audience.reasons import REASONS, REJECTIONS

CASES = Path(__file__).parent / "cases" / "phones.csv"


def cases() -> list[tuple[str, str | None, str | None]]:
    """The cases; characters one cannot see are written ``\\uXXXX`` in the file."""
    with CASES.open(encoding="utf-8", newline="") as file:
        return [
            (
                re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), case["raw"]),
                case["number"] or None,
                case["reason"] or None,
            )
            for case in csv.DictReader(file)
        ]


@pytest.mark.parametrize(("raw", "number", "reason"), cases())
def test_case(raw: str, number: str | None, reason: str | None) -> None:
    assert normalise(raw) == (number, reason)


def test_cases_cover_every_phone_reason() -> None:
    about_messages = {"missing_variable", "unencodable", "text_too_long", "subject_too_long"}
    assert {reason for _, _, reason in cases() if reason} == set(REJECTIONS) - about_messages


@pytest.mark.parametrize("name", REASONS)
def test_a_reason_says_what_is_wrong_and_what_to_do(name: str) -> None:
    reason = REASONS[name]
    assert reason.name == name
    assert len(reason.explanation) > 10
    assert len(reason.fix) > 10
    assert re.search("[가-힣]", reason.label)


@given(st.text(alphabet="0123456789+-. ()０１８２–'eE\u00a0", max_size=20) | st.text())
def test_any_text_gives_a_number_or_a_known_reason(raw: str) -> None:
    number, reason = normalise(raw)
    if number is None:
        assert reason in REJECTIONS
    else:
        assert reason is None
        assert re.fullmatch(r"010[0-9]{8}|01[16-9][0-9]{7,8}", number)


MOBILE = st.from_regex(r"(010[0-9]{8}|01[16-9][0-9]{7,8})", fullmatch=True)


@given(MOBILE)
def test_normalised_stays_as_it_is(number: str) -> None:
    assert normalise(number) == (number, None)


@given(
    MOBILE,
    st.sampled_from(["", "-", " ", ".", "\u00a0", "–", "－"]),
    st.sampled_from(["0", "+82", "0082", "82"]),
)
def test_every_way_of_writing_is_the_same_number(number: str, mark: str, prefix: str) -> None:
    written = mark.join([prefix + number[1:3], number[3:-4], number[-4:]])
    assert normalise(written) == (number, None)
    wide = written.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
    assert normalise(wide) == (number, None)


@given(MOBILE)
def test_a_lost_zero_comes_back(number: str) -> None:
    assert normalise(number[1:]) == (number, None)
    assert normalise(number[1:] + ".0") == (number, None)

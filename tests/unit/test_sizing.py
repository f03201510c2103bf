"""Sizes in EUC-KR, and characters it does not have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import Refused
from include.messages.plan import MessagePlan, Problem
from include.messages.sizing import describe, encodable_size, unencodable


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0),
        ("abc", 3),
        ("a\nb", 3),
        ("가", 2),
        ("(광고)", 6),
        (" 무료수신거부 080-000-0000", 26),
        ("~·…“”★♥☎①€®", 1 + 2 * 10),
        ("漢字", 4),
        ("\u3164", 2),  # the Hangul filler on its own is a character of KS X 1001
        ("㉮ㄱ", 4),
    ],
)
def test_size(text: str, size: int) -> None:
    assert encodable_size(text) == size
    assert unencodable(text) is None


@pytest.mark.parametrize("character", ["뷁", "똠", "힣", "😀", "₩", "\u00a0", "é", "ü", "你", "\ufe0f", "\ud800"])
def test_missing_characters(character: str) -> None:
    assert unencodable(f"가나{character}다") == character
    assert encodable_size(f"가나{character}다") is None
    with pytest.raises(Refused, match=r"have no character .*U\+") as caught:
        MessagePlan(character, None, False, [])
    assert describe(character) in str(caught.value)


def test_all_syllables_that_euc_kr_has() -> None:
    assert sum(encodable_size(chr(code)) == 2 for code in range(0xAC00, 0xD7A4)) == 2350


@given(st.text() | st.text(alphabet="가힣뷁ㄱㄴㅏ\u3164a漢", max_size=12))
def test_size_is_what_the_codec_writes_with_two_bytes_at_most(text: str) -> None:
    size = encodable_size(text)
    if size is None:
        assert unencodable(text) in set(text)
    else:
        assert unencodable(text) is None
        assert size == len(text.encode("euc_kr")) == sum(1 if char.isascii() else 2 for char in text)


@pytest.mark.parametrize(
    ("text", "subject", "allow_lms", "answer"),
    [
        ("a" * 90, None, True, ("S", None)),
        ("가" * 45, None, False, ("S", None)),
        ("가" * 45 + "a", None, True, ("L", None)),
        ("가" * 45 + "a", None, False, (None, "text_too_long")),
        ("가" * 1000, "제목" * 10, True, ("L", None)),
        ("가" * 1000 + "a", None, True, (None, "text_too_long")),
        ("가" * 100, "제목" * 10 + "a", True, (None, "subject_too_long")),
        ("가" * 100, "😀", True, (None, "unencodable")),
        ("가", "😀" * 50, True, ("S", None)),  # an SMS has no subject
        ("뷁", None, True, (None, "unencodable")),
    ],
)
def test_the_limits_decide(
    text: str, subject: str | None, allow_lms: bool, answer: tuple[str | None, str | None]
) -> None:
    plan = MessagePlan("{{text}}", None if subject is None else "{{subject}}", allow_lms, ["text", "subject"])
    decision = plan.decide([text, subject or ""])
    assert ((None, decision.reason) if isinstance(decision, Problem) else (decision, None)) == answer

"""A campaign's message against rows: what is refused for everybody, for one row, and what goes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import Refused
from include.messages.plan import SUBJECT, MessagePlan, Problem
from include.messages.plan import TEXT as TEXT_FIELD
from include.messages.sizing import LMS, LMS_BYTES, SMS, SMS_BYTES, SUBJECT_BYTES, encodable_size
from include.messages.template import MissingVariable, Template, filled
from tests.unit.test_template import NAMES, TEXT, VALUE

COLUMNS = ["phone", "name", "coupon"]


def row(name: str = "홍길동", coupon: str = "A1") -> list[str]:
    return ["01012345678", name, coupon]


def problem_of(plan: MessagePlan, values: list[str]) -> Problem | None:
    decision = plan.decide(values)
    return decision if isinstance(decision, Problem) else None


def classify(text: str, subject: str | None, allow_lms: bool) -> tuple[str, None] | tuple[None, str]:
    """The decision over a rendered message, the slow way: ``("S", None)``, ``("L", None)`` or ``(None, reason)``."""
    size = encodable_size(text)
    if size is None:
        return None, "unencodable"
    if size <= SMS_BYTES:
        return SMS, None
    if not allow_lms or size > LMS_BYTES:
        return None, "text_too_long"
    if subject is not None:
        subject_size = encodable_size(subject)
        if subject_size is None:
            return None, "unencodable"
        if subject_size > SUBJECT_BYTES:
            return None, "subject_too_long"
    return LMS, None


@pytest.mark.parametrize(
    ("text", "subject", "allow_lms", "values", "problem"),
    [
        ("{{name}}님", None, True, row(), None),
        ("{{name}}님", None, True, row(""), Problem("name", "missing_variable", "{{name}} is empty")),
        ("{{name}}님", None, True, row(" \u3000"), Problem("name", "missing_variable", "{{name}} is empty")),
        ("{{name|고객}}님", None, True, row(""), None),
        (
            "{{name|고객}} {{name}}",
            None,
            True,
            row(""),
            Problem("name", "missing_variable", "{{name}} is empty"),
        ),
        ("a" * 86 + "{{name|고객}}", None, False, row(""), None),
        (
            "a" * 87 + "{{name|고객}}",
            None,
            False,
            row(""),
            Problem(TEXT_FIELD, "text_too_long", "91 bytes, the limit is 90"),
        ),
        ("{{name}}님", None, True, row("뷁"), Problem("name", "unencodable", "'뷁' (U+BDC1) in {{name}}")),
        (
            "{{name}} {{coupon}}",
            None,
            True,
            row("가", "x😀"),
            Problem("coupon", "unencodable", "'😀' (U+1F600) in {{coupon}}"),
        ),
        ("{{name}}님", None, True, row("\u1112\u1161\u11ab\u00a0줄\n"), None),
        ("a" * 84 + "{{name}}", None, False, row(), None),
        (
            "a" * 85 + "{{name}}",
            None,
            False,
            row(),
            Problem(TEXT_FIELD, "text_too_long", "91 bytes, the limit is 90"),
        ),
        (
            "a" * 1990 + "{{name}}{{name}}",
            None,
            True,
            row(),
            Problem(TEXT_FIELD, "text_too_long", "2,002 bytes, the limit is 2,000"),
        ),
        ("a" * 91, "{{name}}", True, row("가" * 20), None),
        (
            "a" * 91,
            "{{name}}",
            True,
            row("가" * 20 + "a"),
            Problem(SUBJECT, "subject_too_long", "41 bytes, the limit is 40"),
        ),
        ("a" * 91, "{{name}}", True, row(""), Problem("name", "missing_variable", "{{name}} is empty")),
        ("a" * 90, "{{name}}", True, row(""), None),  # an SMS has no subject
    ],
)
def test_decide(text: str, subject: str | None, allow_lms: bool, values: list[str], problem: Problem | None) -> None:
    assert problem_of(MessagePlan(text, subject, allow_lms, COLUMNS), values) == problem


@pytest.mark.parametrize(
    ("text", "subject", "allow_lms", "message"),
    [
        (
            "{{nmae}}님",
            None,
            True,
            "no column for {{nmae}}. Did you mean {{name}}? It has: phone, name, coupon",
        ),
        ("뷁 {{name}}", None, True, "message.text: SMS and LMS (EUC-KR) have no character '뷁' (U+BDC1)"),
        ("{{name|😀}}", None, True, "message.text: SMS and LMS (EUC-KR) have no character '😀' (U+1F600)"),
        ("가", "😀", True, "message.subject: SMS and LMS (EUC-KR) have no character"),
        (
            "가" * 46,
            None,
            False,
            "the fixed text alone is 92 bytes, the limit is 90. Shorten it, or allow LMS",
        ),
        ("가" * 1001, None, True, "the fixed text alone is 2,002 bytes, the limit is 2,000. Shorten it"),
        ("가" * 46, "가" * 21, True, "message.subject: the fixed part alone is 42 bytes, the limit is 40"),
    ],
)
def test_what_is_wrong_for_everybody_refuses_the_campaign(
    text: str, subject: str | None, allow_lms: bool, message: str
) -> None:
    with pytest.raises(Refused) as caught:
        MessagePlan(text, subject, allow_lms, COLUMNS)
    assert message in str(caught.value)


def test_render() -> None:
    plan = MessagePlan("{{name}}님 {{coupon}}", "{{name}}님께", True, COLUMNS)
    assert plan.render("S", row()) == (None, "홍길동님 A1")
    assert plan.render("L", row(coupon="b" * 90)) == ("홍길동님께", "홍길동님 " + "b" * 90)
    assert MessagePlan("{{name}}님", None, True, COLUMNS).render("L", row()) == (None, "홍길동님")
    assert plan.variables == ("name", "coupon")


def test_rendering_a_row_without_a_needed_value_is_refused() -> None:
    plan = MessagePlan("{{name}}님", None, False, COLUMNS)
    with pytest.raises(MissingVariable):
        plan.render("S", row(""))


@given(TEXT, st.none() | TEXT, st.booleans(), st.lists(VALUE | st.just("가" * 44), min_size=3, max_size=3))
def test_the_fast_path_agrees_with_rendering_and_measuring(
    text: str, subject: str | None, allow_lms: bool, values: list[str]
) -> None:
    try:
        plan = MessagePlan(text, subject, allow_lms, NAMES)
    except Refused:
        return
    problem = problem_of(plan, values)
    by_name = dict(zip(NAMES, values, strict=True))
    try:
        rendered = Template.compile(text).render(by_name)
    except MissingVariable:
        assert problem is not None
        assert problem.reason in ("missing_variable", "unencodable")
        return
    kind, reason = classify(rendered, None, allow_lms)
    if kind == "L" and subject:
        try:
            kind, reason = classify(rendered, Template.compile(subject).render(by_name), allow_lms)
        except MissingVariable:
            assert problem is not None
            assert problem.reason in ("missing_variable", "unencodable")
            return
    if problem is not None:
        assert problem.reason == reason
    else:
        assert reason is None
        tidied = [filled(value) for value in values]
        assert plan.decide(values) == kind
        assert plan.render(str(kind), tidied)[1] == rendered

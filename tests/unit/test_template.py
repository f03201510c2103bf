"""Message templates: substitution, defaults, mistakes, and the row-wise renderer against the plain one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.messages.template import MissingVariable, Template, TemplateError, filled


@pytest.mark.parametrize(
    ("text", "values", "rendered"),
    [
        ("{{name}}님", {"name": "홍길동"}, "홍길동님"),
        ("{{ name }}님", {"name": "홍길동"}, "홍길동님"),
        ("{{\tname\n}}님", {"name": "홍길동"}, "홍길동님"),
        ("{{name|고객}}님", {"name": "홍길동"}, "홍길동님"),
        ("{{name|고객}}님", {}, "고객님"),
        ("{{name|고객}}님", {"name": ""}, "고객님"),
        ("{{name|고객}}님", {"name": " \u3000\t"}, "고객님"),
        ("{{ name | 우리 고객 }}님", {"name": ""}, "우리 고객님"),
        ("{{name|}}!", {"name": ""}, "!"),
        ("{{name|a|b}}", {}, "a|b"),
        ("{{구매 금액}}원", {"구매 금액": "1,000"}, "1,000원"),
        ("{{a}}{{b}}{{a}}", {"a": "1", "b": "2"}, "121"),
        ("{name} } { {{}} {{ }} }}", {}, "{name} } { {{}} {{ }} }}"),
        ("{{{name}}}", {"name": "x"}, "{x}"),
        ("{{a}}", {"a": "{{b}}", "b": "no"}, "{{b}}"),
        ("{{a}}", {"a": "{{a|x}} {% raw %}"}, "{{a|x}} {% raw %}"),
        ("{{a}}", {"a": "한\r\n\t줄\x07"}, "한 줄 "),
        ("{{a}}", {"a": "no\u00a0break"}, "no break"),
        ("{{a}}", {"a": "\ufeff값\u200b"}, "값"),
        ("{{a}}", {"a": "\u1112\u1161\u11ab"}, "한"),
        ("{{a|없음}}", {"a": "\u200b"}, "없음"),
        ("{{a}}", {"a": "홍\u200d길\u200c동\u00ad"}, "홍길동"),
        ("한 줄\r\n두 줄\r세 줄", {}, "한 줄\n두 줄\n세 줄"),
        ("{{\u1112\u1161\u11ab}}", {"한": "composed"}, "composed"),
        ("", {}, ""),
    ],
)
def test_render(text: str, values: dict[str, str], rendered: str) -> None:
    assert Template.compile(text).render(values) == rendered


@pytest.mark.parametrize("values", [{}, {"name": ""}, {"name": "  "}, {"name": "\u00a0"}, {"name": "\n"}])
def test_a_missing_or_blank_value_is_never_an_empty_string(values: dict[str, str]) -> None:
    with pytest.raises(MissingVariable, match=r"\{\{name\}\} has no value\. Fill it in or give it a default") as e:
        Template.compile("{{name}}님").render(values)
    assert e.value.name == "name"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("안녕 {{name", "line 1, column 4: {{ is opened and not closed"),
        ("안녕\n하세요 {{ name }", "line 2, column 5: {{ is opened and not closed"),
        ("{{a{b}}", "line 1, column 1: {{ is opened and not closed, or has braces inside"),
        ("{{ {{name}}", "line 1, column 1: {{ is opened and not closed"),
        ("x {{|고객}}", "line 1, column 3: the variable has no name"),
        ("{{a\nb}}", "line 1, column 1: the variable's name holds a line break"),
    ],
)
def test_a_mistake_names_its_place(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template.compile(text)
    assert str(caught.value).startswith(message)
    assert caught.value.fix


def test_variables() -> None:
    template = Template.compile("{{b}} {{a|x}} {{b|y}} {{c|}}")
    assert template.variables == ("b", "a", "c")
    assert Template.compile("{a} {{}}").variables == ()


NAMES = ["phone", "name", "쿠폰"]
VALUE = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", " ", "\u3000", "홍길동", "뷁", "\u1112\u1161", "{{name}}", "\x00\n", "\u200b", "😀"]),
)
PIECE = st.one_of(
    st.text(alphabet="abc 가나\n.", max_size=6),
    st.sampled_from(["{{name}}", "{{ 쿠폰 }}", "{{name|고객}}", "{{쿠폰|}}", "{{gone|x}}", "{{gone}}", "{ ", "{{}}"]),
)
TEXT = st.lists(PIECE, max_size=6).map("".join)


@example("100% {{name}} %s %(name)s {{쿠폰|5%}}", ["010", "50%", ""])
@given(TEXT, st.lists(VALUE, min_size=3, max_size=3))
def test_a_row_reads_as_its_values(text: str, row: list[str]) -> None:
    template = Template.compile(text)
    tidied = [filled(value) for value in row]
    try:
        expected = template.render(dict(zip(NAMES, row, strict=True)))
    except MissingVariable:
        with pytest.raises(MissingVariable):
            template.plan(NAMES).fill(tidied)
        with pytest.raises(MissingVariable):
            template.plan(NAMES).fill_many([[value.encode()] for value in tidied])
        return
    pattern = template.plan(NAMES)
    assert pattern.fill(tidied) == expected
    assert pattern.fill(tidied) == expected, "rendering a row must not change the next"


@given(TEXT, st.lists(st.lists(VALUE, min_size=3, max_size=3), min_size=1, max_size=4))
def test_many_rows_read_as_one_by_one(text: str, rows: list[list[str]]) -> None:
    tidied = [[filled(value) for value in row] for row in rows]
    try:
        pattern = Template.compile(text).plan(NAMES)
        expected = "".join(map(pattern.fill, tidied))
    except MissingVariable:
        return
    columns = [[value.encode() for value in column] for column in zip(*tidied, strict=True)]
    assert pattern.fill_many(columns).decode() == expected

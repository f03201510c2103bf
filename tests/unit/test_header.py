"""A file without a header: its first person is refused as a header, and nothing of hers is shown."""

from pathlib import Path

import pytest
from openpyxl import Workbook

from include.audience.columns import resolve_columns
from include.audience.header import listed, shown
from include.audience.reader import open_table
from include.errors import MalformedFile, Refused
from include.messages.plan import MessagePlan

PEOPLE = [
    "홍길동,010-5555-6666",
    "홍길동,01055556666",
    "홍길동,1055556666",
    "홍길동,０１０－５５５５－６６６６",
    "홍길동,+82 10 5555 6666",
    "010-5555-6666,010-5555-6666",
    "홍길동,02-555-6666",
    "홍길동,010/5555/6666",
    '홍길동,"010,5555,6666"',
    "홍길동,1.055556666E+9",
    "홍길동,1.06E+09",
    "홍길동,010-****-6666",
    "홍길동,010-XXXX-6666",
    "홍*동,서울",
    "홍길동,gildong@example.com",
    "홍길동,900101",
    "홍길동,서울 06236",
    "홍길동|010-5555-6666",
]
HEADERS = [
    "휴대폰,이름,등급",
    "phone,name,Q1,주소1,주소2",
    "연락처(휴대폰),이름*,2026년 등급",
    "번호,포인트(2026),1,2,3",
    "e-mail,@handle,A+",
]


@pytest.mark.parametrize("line", PEOPLE)
def test_a_header_that_looks_like_a_person_is_refused_and_not_shown(tmp_path: Path, line: str) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(f"{line}\n{line}\n", encoding="utf-8")
    with pytest.raises(MalformedFile) as caught:
        open_table(path)
    said = str(caught.value)
    assert said.startswith("contacts.csv, row 1: it looks like a person, not like a header (column")
    assert "Add a header row" in said
    assert not any(piece in said for piece in ("홍", "5555", "6666", "gildong", "900101", "06236"))


def test_a_workbook_without_a_header_is_refused_and_not_shown(tmp_path: Path) -> None:
    book = Workbook()
    assert book.active is not None
    for row in (["홍길동", 1055556666], ["임꺽정", 1077778888]):
        book.active.append(row)
    book.save(tmp_path / "contacts.xlsx")
    with pytest.raises(MalformedFile, match=r"row 1: it looks like a person, not like a header \(column 2\)") as caught:
        open_table(tmp_path / "contacts.xlsx")
    assert "홍길동" not in str(caught.value)


@pytest.mark.parametrize("line", HEADERS)
def test_ordinary_headers_are_headers(tmp_path: Path, line: str) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(f"{line}\n{','.join('x' * len(line.split(',')))}\n", encoding="utf-8")
    assert open_table(path).header == line.split(",")


def test_what_an_error_shows_of_a_header_is_short_and_without_numbers() -> None:
    assert shown("가입일\n (2026)") == "가입일 (****)"
    assert shown("가" * 50) == "가" * 39 + "…"
    assert listed([f"열{n}" for n in range(25)]).endswith("열19 and 5 more")


def test_errors_about_columns_show_no_numbers() -> None:
    with pytest.raises(Refused) as missing:
        resolve_columns(["휴대폰 5555", "이름"], {"phone": "휴대폰"})
    with pytest.raises(Refused) as unmapped:
        _ = resolve_columns(["휴대폰 5555", "이름"], {}).phone
    with pytest.raises(Refused) as unknown:
        MessagePlan("[ACME] {{휴대폰}}님", None, False, ["휴대폰 5555", "이름"])
    for error in (missing, unmapped, unknown):
        assert "휴대폰 ****" in str(error.value)
        assert "5555" not in str(error.value)


def test_line_breaks_and_blanks_in_a_header_are_one_blank_for_file_mapping_and_text(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text('휴대폰,"가입일\n(YYYY)",포인트   잔액,\u200b이\u200d름\n1,2,3,4\n', encoding="utf-8")
    header = open_table(path).header
    assert header == ["휴대폰", "가입일 (YYYY)", "포인트 잔액", "이름"]
    plan = resolve_columns(header, {"phone": " 휴대폰", "joined": "가입일\n(YYYY)"})
    assert plan.variables == ("phone", "joined", "포인트 잔액", "이름")
    assert plan.index("포인트  잔액") == 2
    assert MessagePlan("{{포인트  잔액}}", None, False, plan.variables).variables == ("포인트 잔액",)

"""Workbooks: cells as a person sees them, sheets, and workbooks that cannot be read."""

import datetime as dt
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook

from include.audience.reader import open_table
from include.errors import MalformedFile, Refused


def save(path: Path, *rows: Sequence[object], title: str = "고객") -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    book.create_sheet("설명").append(["설명"])
    book.save(path)
    return path


def test_cells_become_what_a_person_sees(tmp_path: Path) -> None:
    path = save(
        tmp_path / "contacts.xlsx",
        ["휴대폰", " 이름 ", "x", 4],
        [1012345678, "홍길동", 1012345678.0, 0.5],
        ["010-1234-5678", None, True, dt.datetime(2026, 3, 1)],
        [None, None, None, None],
        ["010", "두\n줄", dt.datetime(2026, 3, 1, 9, 30), dt.time(9, 30)],
        ["011", "짧은 줄"],
        ["012", "긴 줄", 1, 2, "", None],
    )
    table = open_table(path)
    assert table.header == ["휴대폰", "이름", "x", "4"]
    assert (table.encoding, table.delimiter) == (None, None)
    assert list(table.batches()) == [
        (2, [["1012345678", "홍길동", "1012345678", "0.5"], ["010-1234-5678", "", "TRUE", "2026-03-01"]]),
        (
            5,
            [
                ["010", "두\n줄", "2026-03-01 09:30:00", "09:30:00"],
                ["011", "짧은 줄", "", ""],
                ["012", "긴 줄", "1", "2"],
            ],
        ),
    ]


def test_sheet_by_name_and_content_before_ending(tmp_path: Path) -> None:
    path = save(tmp_path / "contacts.csv", ["휴대폰"], ["1"], title="첫째")
    assert open_table(path).header == ["휴대폰"]
    assert open_table(path, sheet="첫째").header == ["휴대폰"]
    with pytest.raises(Refused, match=r"contacts.csv has no sheet 둘째. It has: 첫째, 설명"):
        open_table(path, sheet="둘째")
    with pytest.raises(MalformedFile, match="it has a header and no rows"):
        open_table(path, sheet="설명")


def test_a_wrong_size_in_the_file_cuts_nothing(tmp_path: Path) -> None:
    good = save(tmp_path / "good.xlsx", ["a", "b"], ["1", "2"], ["3", "4"])
    bad = tmp_path / "bad.xlsx"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert b'ref="A1:B3"' in data
                data = data.replace(b'ref="A1:B3"', b'ref="A1:A1"')
            target.writestr(name, data)
    assert list(open_table(bad).batches()) == [(2, [["1", "2"], ["3", "4"]])]


def test_row_numbers_when_rows_are_absent_from_the_file(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["A3"], sheet["A7"] = "phone", "x", "y"
    book.save(tmp_path / "contacts.xlsx")
    assert list(open_table(tmp_path / "contacts.xlsx").batches()) == [(3, [["x"]]), (7, [["y"]])]


@pytest.mark.parametrize(
    ("rows", "row", "problem"),
    [
        ([], None, "it is empty"),
        ([["a", None, "b"], [1, 2, 3]], 1, "column 2 of the header has no name"),
        ([["a", "a"], [1, 2]], 1, "columns 1 and 2 of the header have the same name"),
        ([["a", "b"], [1, 2], [1, 2, 3]], 3, "it has 3 fields, the header has 2"),
    ],
)
def test_malformed_rows(tmp_path: Path, rows: list[list[object]], row: int | None, problem: str) -> None:
    path = save(tmp_path / "contacts.xlsx", *rows)
    with pytest.raises(MalformedFile) as caught:
        list(open_table(path).batches())
    assert caught.value.row == row
    assert caught.value.problem.startswith(problem)


def test_damaged_protected_and_foreign_workbooks(tmp_path: Path) -> None:
    good = save(tmp_path / "good.xlsx", ["a"], *[[f"value {n}"] for n in range(5000)]).read_bytes()
    path = tmp_path / "contacts.xlsx"

    def problem(data: bytes) -> str:
        path.write_bytes(data)
        with pytest.raises(MalformedFile) as caught:
            list(open_table(path).batches())
        assert caught.value.fix
        return str(caught.value)

    assert "damaged" in problem(good[: len(good) // 2])
    place = good.index(b"xl/worksheets/sheet1.xml") + 500
    assert "damaged" in problem(good[:place] + b"\0" * 200 + good[place + 200 :])
    ole = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2000)
    assert "old .xls kind" in problem(ole + "Workbook".encode("utf-16-le"))
    assert "protected with a password" in problem(ole + "EncryptedPackage".encode("utf-16-le") + bytes(100))
    with zipfile.ZipFile(path, "w") as other:
        other.writestr("content.xml", "<office/>")
    assert "damaged or is not an .xlsx file" in problem(path.read_bytes())

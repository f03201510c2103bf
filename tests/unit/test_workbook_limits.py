"""What a person does not see in a workbook is not sent to, and a small workbook does not unpack to gigabytes."""

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from include.audience import workbook
from include.audience.reader import open_table
from include.errors import MalformedFile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SHEET, TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
HEADER = '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row>'
TEXTS_TYPE = (
    f'<Override PartName="/{TEXTS}" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
)


def hidden_sheets(folder: Path, *hidden: str) -> Path:
    """A workbook with the sheets old, new and notes."""
    book = Workbook()
    assert book.active is not None
    book.active.title = "old"
    for title in ("old", "new", "notes"):
        sheet = book[title] if title == "old" else book.create_sheet(title)
        sheet.append(["phone", title])
        sheet.append(["1", "x"])
        sheet.sheet_state = "hidden" if title in hidden else "visible"
    book.active = 1
    book.save(folder / "contacts.xlsx")
    return folder / "contacts.xlsx"


def made(folder: Path, parts: dict[str, str | Callable[[str], str]]) -> Path:
    """A workbook of one sheet with some of its parts rewritten or added."""
    Workbook().save(folder / "plain.xlsx")
    path = folder / "contacts.xlsx"
    with zipfile.ZipFile(folder / "plain.xlsx") as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in {**dict.fromkeys(plain.namelist()), **parts}:
            part = parts.get(name) or plain.read(name).decode()
            out.writestr(name, part if isinstance(part, str) else part(plain.read(name).decode()))
    return path


def sheet(rows: str) -> str:
    return f'<?xml version="1.0"?><worksheet xmlns="{MAIN}"><sheetData>{HEADER}{rows}</sheetData></worksheet>'


def refusal(path: Path) -> str:
    with pytest.raises(MalformedFile) as caught:
        for _ in open_table(path).batches():
            pass
    return str(caught.value)


def test_the_first_sheet_that_a_person_sees_is_read(tmp_path: Path) -> None:
    assert open_table(hidden_sheets(tmp_path)).header == ["phone", "old"]
    assert open_table(hidden_sheets(tmp_path, "old")).header == ["phone", "new"]
    assert open_table(hidden_sheets(tmp_path, "old"), sheet="notes").header == ["phone", "notes"]


def test_a_hidden_sheet_is_not_read_even_when_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedFile, match=r"its sheet old is hidden\. Show it, or name another one"):
        open_table(hidden_sheets(tmp_path, "old"), sheet="old")


@pytest.mark.parametrize("size", [1, 10_000])
def test_rows_hidden_by_a_filter_are_counted_and_the_file_is_refused(tmp_path: Path, size: int) -> None:
    book = Workbook()
    assert book.active is not None
    for number in range(20):
        book.active.append([f"p{number}"])
    book.active.append([])
    for row in (3, 7, 8, 21):  # the last one is empty
        book.active.row_dimensions[row].hidden = True
    book.save(tmp_path / "contacts.xlsx")
    with pytest.raises(MalformedFile) as caught:
        for _ in open_table(tmp_path / "contacts.xlsx").batches(size):
            pass
    assert "3 of its rows are hidden, by a filter or by hand. Remove the filter and show the rows" in str(caught.value)


def test_a_workbook_with_too_large_a_table_of_texts_is_refused(tmp_path: Path) -> None:
    letters = "".join(f"<si><t>{n:064x}</t></si>" for n in range(65 * workbook.MEBIBYTE // 80))
    texts = f'<sst xmlns="{MAIN}">{letters}</sst>'
    path = made(tmp_path, {TEXTS: texts, "[Content_Types].xml": lambda text: text.replace("</Types>", TEXTS_TYPE)})
    said = refusal(path)
    assert "the workbook is too large: its table of texts unpacks to 65 MB, the limit is 64" in said
    assert said.endswith("Save it as CSV UTF-8")


def test_a_part_that_unpacks_to_far_more_than_it_takes_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path, {SHEET: sheet(" " * (workbook.RATIO_FROM + 1))})
    assert path.stat().st_size < 100_000
    assert "a sheet unpacks to more than 200 times its size" in refusal(path)


def test_one_enormous_cell_is_refused(tmp_path: Path) -> None:
    cell = f'<row r="2"><c r="A2" t="inlineStr"><is><t>{"x" * (workbook.LARGEST_ELEMENT + 100_000)}</t></is></c></row>'
    assert "a row or a text is longer than 8 MB" in refusal(made(tmp_path, {SHEET: sheet(cell)}))


def test_styles_of_a_size_that_takes_minutes_are_refused(tmp_path: Path) -> None:
    styles = f'<styleSheet xmlns="{MAIN}"><cellXfs>{"<xf/>" * workbook.MEBIBYTE}</cellXfs></styleSheet>'
    assert "a part of it unpacks to 5 MB, the limit is 2" in refusal(made(tmp_path, {"xl/styles.xml": styles}))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ('<row r="999999999"><c t="n"><v>1</v></c></row>', "a sheet has more than 1,048,576 rows"),
        (f'<row r="2">{"<c/>" * 16_385}</row>', "a row has more than 16,384 cells"),
        ('<row r="3"><c><v>1</v></c></row><row r="2"><c><v>2</v></c></row>', "the workbook is damaged"),
    ],
)
def test_rows_that_no_spreadsheet_has_are_refused(tmp_path: Path, rows: str, problem: str) -> None:
    assert problem in refusal(made(tmp_path, {SHEET: sheet(rows)}))


def test_a_directory_that_names_a_smaller_size_unpacks_no_more_than_that(tmp_path: Path) -> None:
    path = made(tmp_path, {SHEET: sheet("".join(f'<row r="{n}"><c><v>{n}</v></c></row>' for n in range(2, 5_000)))})
    with zipfile.ZipFile(path) as book:
        size = struct.pack("<I", book.getinfo(SHEET).file_size)
    data = path.read_bytes()
    assert data.count(size) >= 1
    path.write_bytes(data.replace(size, struct.pack("<I", 2_000)))
    assert "the workbook is damaged" in refusal(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_before_it_is_expanded(tmp_path: Path, encoding: str) -> None:
    entity = '<!DOCTYPE worksheet [<!ENTITY a "010">]>'
    text = sheet('<row r="2"><c t="inlineStr"><is><t>&a;</t></is></c></row>').replace(
        '<?xml version="1.0"?>', f'<?xml version="1.0" encoding="{encoding}"?>{entity}'
    )
    path = made(tmp_path, {})
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as plain, zipfile.ZipFile(path, "w") as out:
        for name in plain.namelist():
            out.writestr(name, text.encode(encoding) if name == SHEET else plain.read(name))
    assert "the workbook is damaged" in refusal(path)

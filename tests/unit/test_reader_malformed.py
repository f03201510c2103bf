"""Customer files that cannot be read: each error names the file, the row and the fix."""

from pathlib import Path

import pytest

from include.audience.reader import open_table
from include.errors import MalformedFile, Refused

GOOD = "휴대폰,이름\n010-1234-5678,홍길동\n"


def error_of(path: Path, **options: str) -> MalformedFile:
    with pytest.raises(MalformedFile) as caught:
        for _ in open_table(path, **options).batches(3):
            pass
    assert caught.value.path == path.name
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    ("data", "row", "problem"),
    [
        (b"", None, "it is empty"),
        (b"\n\n ,\n", None, "it is empty"),
        (b"\xef\xbb\xbf", None, "it is empty"),
        (b"phone,name\n", None, "it has a header and no rows"),
        (b"phone,name\n\n,\n", None, "it has a header and no rows"),
        (b"a,,b\n1,2,3\n", 1, "column 2 of the header has no name"),
        (b"a,b, a \n1,2,3\n", 1, "columns 1 and 3 of the header have the same name, a"),
        (b"a,b\n1,2\n1,2,3\n", 3, "it has 3 fields, the header has 2"),
        (b"a,b\n1\n", 2, "it has 1 fields, the header has 2"),
        (b"a,b\n1,2\n\n\n1,2\n1,2\n1\n", 7, "it has 1 fields, the header has 2"),
        (b'a,b\n1,"2\n2"\n1\n', 3, "it has 1 fields, the header has 2"),
        (b'a,b\n1,2\n1,"2\n3,4\n5,6\n', 3, "a quote opened in this row is never closed"),
        (b'a,b\n1,2\n1,"2\n3,"4"\n', 3, "text follows a closing quote"),
        (b'a,b\n1,"2" 3\n', 2, "text follows a closing quote"),
        (b'a,b\n1,"' + b"2,3\n" * 50_000, 2, "a value is longer than 131,072 characters"),
        (b'"a,b\n1,2\n', 1, "a quote opened in this row is never closed"),
        (b"a,b\n1,2\n1,\x002\n" + b"1,2\n" * 9, 3, "it contains a NUL byte"),
        (b"a,b\n1,2\n1,\x1f2\n", 3, "it contains the control character 0x1F"),
        (GOOD.encode("utf-16"), None, 'it is saved as UTF-16 ("Unicode text")'),
        (GOOD.encode("utf-16-le"), None, 'it is saved as UTF-16 ("Unicode text")'),
        (GOOD.encode("utf-16-be"), None, 'it is saved as UTF-16 ("Unicode text")'),
        (("\ufeff" + GOOD).encode() + b"1,\xff\n", 3, "the file is UTF-8, but byte 0xFF in this row is not"),
        ((GOOD * 3).encode("cp949") + b"1,\xff\n", 7, "the file is CP949, but byte 0xFF in this row is not"),
        (GOOD.encode() + b"1,\xed\x99", 3, "the file is UTF-8, but byte 0xED in this row is not"),
        (b"<html><table><tr><td>phone</td></tr></table>", None, "it is a web page or XML"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2000), None, "it is a workbook of the old .xls kind"),
    ],
)
def test_malformed(tmp_path: Path, data: bytes, row: int | None, problem: str) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(data)
    error = error_of(path)
    assert (error.row, error.problem[: len(problem)]) == (row, problem)
    place = "contacts.csv" if row is None else f"contacts.csv, row {row}"
    assert str(error).startswith(f"{place}: {problem}")


@pytest.mark.parametrize("left", range(len("a,b\n1,2\n3,45\n") - 4, len("a,b\n1,2\n3,45\n")))
def test_a_file_that_is_cut_off_in_its_last_row_is_refused(tmp_path: Path, left: int) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(b"a,b\n1,2\n3,45\n"[:left])
    error = error_of(path)
    assert "its last row does not end with a line break" in str(error)
    assert "add a line break at its end" in error.fix


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\n\n"])
def test_a_file_that_ends_with_a_line_break_is_whole(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(b"a,b\n3,45" + end)
    assert list(open_table(path).batches()) == [(2, [["3", "45"]])]


def test_a_file_that_is_cut_off_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(b"a,b\n1,2\n3,45\n")
    table = open_table(path)
    path.write_bytes(b"a,b\n1,2\n3,4")
    with pytest.raises(MalformedFile, match="its last row does not end"):
        list(table.batches())


def test_a_bad_byte_far_into_the_file(tmp_path: Path) -> None:
    lines = ["휴대폰,이름,메모", *('010-1234-5678,홍길동,"두 줄\n메모"' for _ in range(100_000))]
    data = [line.encode() for line in lines]
    data[69_999] = b'010-1234-5678,\xc8\xab\xb1\xe6\xb5\xbf,"x"'  # a row pasted from a CP949 file
    path = tmp_path / "contacts.csv"
    path.write_bytes(b"\n".join(data))
    error = error_of(path)
    assert (error.row, error.problem) == (70_000, "the file is UTF-8, but byte 0xB1 in this row is not")


def test_utf8_that_cp949_could_read_by_accident(tmp_path: Path) -> None:
    """All of it is CP949 too, but nobody calls a column 踰덊샇: four good characters are proof enough of UTF-8."""
    path = tmp_path / "contacts.csv"
    data = "번호,주소\n".encode() + b"1,\xb0\xa1\n"
    assert data.decode("cp949")
    path.write_bytes(data)
    assert error_of(path).problem.startswith("the file is UTF-8")


def test_rows_before_the_bad_one_are_given_out(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text('a,b\n1,2\n3,4\n5\n"7,8\n')
    seen: list[tuple[int, list[list[str]]]] = []
    batches = open_table(path).batches()
    with pytest.raises(MalformedFile) as caught:
        seen.extend(batches)
    assert seen == [(2, [["1", "2"], ["3", "4"]])]
    assert caught.value.row == 4


def test_the_first_mistake_is_the_one_reported(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text('a,b\n1,2\n3\n"7,8\n')
    assert error_of(path).row == 3


def test_asked_encoding_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(GOOD.encode("cp949"))
    error = error_of(path, encoding="utf-8")
    assert (error.row, error.problem) == (1, "the file is UTF-8, but byte 0xC8 in this row is not")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "klingon"}, "there is no encoding klingon. Use utf-8 or cp949"),
        ({"encoding": "hex"}, "there is no encoding hex. Use utf-8 or cp949"),
        ({"encoding": "utf-16"}, "utf-16 is not read"),
        ({"delimiter": "ab"}, "'ab' is no delimiter"),
        ({"delimiter": '"'}, "is no delimiter"),
        ({"sheet": "고객"}, "contacts.csv is a text file and has no sheet 고객"),
    ],
)
def test_options_that_are_not_possible(tmp_path: Path, options: dict[str, str], message: str) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(Refused) as caught:
        open_table(path, **options)
    assert message in str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    assert "there is no such file" in str(error_of(tmp_path / "contacts.csv"))
    assert "there is no such file" in str(error_of(tmp_path))

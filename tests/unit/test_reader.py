"""Customer files that can be read: encodings, delimiters, line ends, row numbers, columns."""

import codecs
import csv
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.audience.reader import Table, open_table, resolve_columns
from include.errors import Refused

HEADER = ["휴대폰", "이름"]


def write(folder: Path, data: bytes | str, name: str = "contacts.csv") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def rows_of(table: Table, size: int = 10_000) -> list[tuple[int, list[str]]]:
    """Every row with its number."""
    return [(first + place, row) for first, rows in table.batches(size) for place, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("codec", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("cp949", "cp949"), ("euc-kr", "cp949")],
)
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_encodings_and_delimiters_are_recognised(
    tmp_path: Path, codec: str, found: str, delimiter: str, line_end: str
) -> None:
    lines = [delimiter.join(HEADER), delimiter.join(["010-1234-5678", "홍길동"])]
    table = open_table(write(tmp_path, line_end.join([*lines, ""]).encode(codec)))
    assert (table.encoding, table.delimiter, table.header) == (found, delimiter, HEADER)
    assert rows_of(table) == [(2, ["010-1234-5678", "홍길동"])]


def test_cp949_beyond_euc_kr(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "번호,이름\n1,펲시맨 뷁\n".encode("cp949")))
    assert rows_of(table) == [(2, ["1", "펲시맨 뷁"])]


def test_ascii_only_until_the_last_row(tmp_path: Path) -> None:
    """The encoding shows late: a decision on the file's beginning would be wrong."""
    body = "phone,name\n" + "01012345678,hong\n" * 100_000
    assert open_table(write(tmp_path, body.encode() + "1,홍길동\n".encode("cp949"))).encoding == "cp949"
    assert open_table(write(tmp_path, body.encode() + "1,홍길동\n".encode())).encoding == "utf-8"


def test_one_character_that_is_valid_in_both(tmp_path: Path) -> None:
    """CP949 '징' is the UTF-8 of '¡'; the rest of the file decides."""
    assert open_table(write(tmp_path, "징,홍길동\n1,2\n".encode("cp949"))).header == ["징", "홍길동"]


def test_asked_encoding_and_delimiter(tmp_path: Path) -> None:
    path = write(tmp_path, "번호|이름,성\n1|2,3\n".encode("cp949"))
    table = open_table(path, encoding="euc-kr", delimiter="|")
    assert table.header == ["번호", "이름,성"]
    assert rows_of(table) == [(2, ["1", "2,3"])]
    assert open_table(write(tmp_path, "\ufeff번호\tb\n1\t2\n"), encoding="utf-8", delimiter="tab").header == [
        "번호",
        "b",
    ]


def test_delimiters_inside_quotes_do_not_count(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, 'a;"b,c,d,\ne"\n1;"2;\n""3"""\n4;5\n'))
    assert table.header == ["a", "b,c,d, e"]
    assert rows_of(table) == [(2, ["1", '2;\n"3"']), (3, ["4", "5"])]


def test_one_column(tmp_path: Path) -> None:
    assert rows_of(open_table(write(tmp_path, "phone\n1\n2\n"))) == [(2, ["1"]), (3, ["2"])]


def test_header_is_trimmed_and_composed(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, " \u1112\u1161\u11ab ,\u00a0b\t,\n1,2,\n"))
    assert table.header == ["한", "b"]


@pytest.mark.parametrize("size", [1, 2, 3, 10_000])
def test_blank_rows_are_counted_and_left_out(tmp_path: Path, size: int) -> None:
    table = open_table(write(tmp_path, "\n\na,b\n\n1,2\n,\n   \n3,4\n5,6\n,,,\n7,8,,\n\n\n"))
    assert rows_of(table, size) == [(5, ["1", "2"]), (8, ["3", "4"]), (9, ["5", "6"]), (11, ["7", "8"])]


def test_values_stay_as_they_are(tmp_path: Path) -> None:
    assert rows_of(open_table(write(tmp_path, "a,b\n x ,=1+1\n"))) == [(2, [" x ", "=1+1"])]


def test_batches_can_be_read_twice(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "a,b\n" + "1,2\n" * 25))
    assert [(first, len(rows)) for first, rows in table.batches(10)] == [(2, 10), (12, 10), (22, 5)]
    assert len(rows_of(table)) == 25


def test_memory_is_flat(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = write(tmp_path, "휴대폰,이름\n" + "010-1234-5678,홍길동\n" * count)
        tracemalloc.start()
        for _ in open_table(path).batches(1000):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(600_000) < 1.2 * peak(200_000) < 20_000_000


FIELD = st.text(
    alphabet=st.sampled_from("가나힣뷁漢aZ0 ,;\t\"'\n\r.-·")
    | st.characters(codec="cp949", exclude_characters="\0\x1f"),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    # one row at least has more than blanks in it: a file without such a row has no rows
    rows=st.lists(st.lists(FIELD, min_size=2, max_size=2).filter(any), min_size=1, max_size=8).filter(
        lambda rows: any(value.strip() for row in rows for value in row)
    ),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "cp949"]),
    delimiter=st.sampled_from([",", "\t", ";"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    size=st.integers(1, 5),
)
def test_what_is_written_is_read(
    tmp_path: Path, rows: list[list[str]], codec: str, delimiter: str, line_end: str, size: int
) -> None:
    text = io.StringIO(newline="")
    # The writer puts no quotes around a carriage return unless it is part of the line end.
    returns = any("\r" in value for row in rows for value in row)
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator=line_end,
        quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL,
    )
    # A header long enough to tell the encodings apart whatever the values are.
    writer.writerow(["휴대전화번호", "받으실 분의 이름"])
    writer.writerows(rows)
    table = open_table(write(tmp_path, text.getvalue().encode(codec)))
    assert rows_of(table, size) == list(enumerate(rows, 2))
    assert codecs.lookup(table.encoding or "").name == codecs.lookup(codec).name


def test_columns_get_their_variables() -> None:
    plan = resolve_columns(
        ["휴대폰", "이름", "쿠폰 번호"], {"phone": " 휴대폰", "name": "\u110b\u1175\u1105\u1173\u11b7"}
    )
    assert plan.variables == ("phone", "name", "쿠폰 번호")
    assert plan.phone == 0
    assert plan.index("쿠폰 번호") == 2
    assert resolve_columns(["name", "phone"], {}).phone == 1


@pytest.mark.parametrize(
    ("header", "mapping", "message"),
    [
        (
            ["휴대폰번호", "이름"],
            {"phone": "휴대폰"},
            "The file has no column 휴대폰 (mapped to phone). Did you mean 휴대폰번호? It has: 휴대폰번호, 이름",
        ),
        (["Phone No", "b"], {"phone": "phone no"}, "Did you mean Phone No?"),
        (["a", "b"], {"phone": "전화"}, "The file has no column 전화 (mapped to phone). It has: a, b"),
        (["a", "b"], {"phone": "a", "name": "a"}, "Column a is mapped to both phone and name"),
        (["a", "phone"], {"phone": "a"}, "Columns a and phone would both be the variable phone"),
    ],
)
def test_columns_that_cannot_be_resolved(header: list[str], mapping: dict[str, str], message: str) -> None:
    with pytest.raises(Refused) as caught:
        resolve_columns(header, mapping)
    assert message in str(caught.value)


def test_no_column_is_the_phone() -> None:
    with pytest.raises(
        Refused, match=r"No column is the phone. The file has: 휴대폰, 이름. .*columns: \{phone: 휴대폰\}"
    ):
        _ = resolve_columns(["휴대폰", "이름"], {}).phone

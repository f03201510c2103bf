"""The customer file and the truth about it: two roads to the same numbers."""

import csv
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from include.audience.phones import normalise
from include.messages.sizing import unencodable
from sandbox.carrier import CarrierBooks
from sandbox.customers import HEADER, YES, Encoding, Truth, generate, unrelated_numbers
from sandbox.demo import SPEC, disagreements

ROWS = 20_000


def judged(path: Path, encoding: str, delimiter: str = ",") -> tuple[Counter[str], int, dict[str, bool]]:
    """Rejected by reason, duplicates, and for each number whether all of its rows say yes, by the product's rules."""
    rejected: Counter[str] = Counter()
    people: dict[str, bool] = {}
    duplicates = 0
    with path.open(encoding=encoding, newline="") as file:
        for row in csv.DictReader(file, delimiter=delimiter):
            number, reason = normalise(row["휴대폰"])
            if number is None:
                rejected[str(reason)] += 1
            elif unencodable(row["이름"]):
                rejected["unencodable"] += 1
            else:
                duplicates += number in people
                people[number] = people.get(number, True) and row["수신동의"] in YES
    return rejected, duplicates, people


@pytest.mark.parametrize("encoding", ["cp949", "utf-8", "utf-8-sig"])
def test_the_truth_is_what_the_products_rules_find(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    truth = generate(path, ROWS, 5, encoding=encoding, suppressed=50)
    rejected, duplicates, people = judged(path, encoding)
    assert (truth.rows, truth.rejected, truth.duplicates) == (ROWS, rejected, duplicates)
    assert truth.no_consent == sum(not agreed for agreed in people.values())
    assert len(set(truth.suppressed)) == 50
    assert all(people[number] for number in truth.suppressed)
    assert truth.recipients == sum(people.values()) - 50
    assert min(rejected.values()) > 20
    assert len(rejected) == 11
    assert duplicates > 200


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in "abc")
    assert generate(first, 2_000, 1) == generate(second, 2_000, 1)
    generate(other, 2_000, 2)
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_the_mess_is_there(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    generate(path, ROWS, 3, encoding="utf-8-sig", delimiter=";")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf" + ";".join(HEADER).encode())
    text = path.read_text(encoding="utf-8-sig")
    for trace in ("０１０－", "+82 10", "008210", "(010) ", "1.01E+09", "정자동", "뷁", "😀"):
        assert trace in text
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert len(rows) == ROWS + 1
    assert {len(row) for row in rows} == {len(HEADER)}
    names = [row[1] for row in rows[1:]]
    assert names.count("") > 50
    assert sum(len(name) > 3 for name in names) > 50


def test_without_dirt_everybody_gets_the_message(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    assert generate(path, 3_000, 4, dirt=False) == Truth(rows=3_000, recipients=3_000)
    assert len(judged(path, "utf-8-sig")[2]) == 3_000


def test_a_workbook_holds_numbers_and_dates_as_a_spreadsheet_does(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    path = tmp_path / "customers.xlsx"
    truth = generate(path, 1_000, 6)
    sheet = load_workbook(path, read_only=True).active
    assert sheet is not None
    rows = list(sheet.iter_rows(min_row=2, values_only=True))
    assert len(rows) == truth.rows == 1_000
    assert any(isinstance(row[2], int) for row in rows)
    assert isinstance(rows[0][5], int)
    assert isinstance(rows[0][6], date)


def test_unrelated_numbers_are_in_no_file() -> None:
    numbers = unrelated_numbers(200)
    assert len(set(numbers)) == 200
    assert {normalise(number) for number in numbers} == {(number, None) for number in numbers}
    assert {number[:4] for number in numbers} == {"0101"}


def test_the_demo_notices_every_count_that_is_wrong() -> None:
    truth = Truth(10, Counter(empty=1), 1, 1, ["01022223333"], 6)
    carrier = CarrierBooks(sent=6, people=6, delivered=5, failed={7: 1}, twice=0, open=0, to_suppressed=0)
    report = {
        "rows_read": 10, "rejected": {"empty": 1}, "duplicates": 1, "excluded": {"no_consent": 1, "suppressed": 1},
        "recipients": 6, "chunks": 1, "accepted": 6, "delivered": 5, "failed": {"7": 1}, "expired": 0, "unknown": 0,
        "books_closed": True,
    }  # fmt: skip
    assert disagreements(report, truth, carrier) == []
    for name in report:
        assert len(disagreements({**report, name: None}, truth, carrier)) == 1, name
    for name, wrong in (("sent", 7), ("people", 5), ("twice", 1), ("open", 1), ("to_suppressed", 1)):
        bad = CarrierBooks(**{**carrier.__dict__, name: wrong})
        assert len(disagreements(report, truth, bad)) == 1, name


def test_the_demos_definition_is_valid(acme_folder: Path) -> None:
    from include.campaigns.definition import load_definition

    path = acme_folder / "spring-sale.yaml"
    path.write_text(SPEC.format(slug="spring-sale", chunk=10_000), encoding="utf-8")
    load_definition(path)

"""The customer's file into the staging table: every kind of bad row, every kind of file, and flat memory."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import Workbook

from include.audience.reasons import REASONS
from include.audience.suppression import import_suppressions
from include.errors import MalformedFile, Refused
from include.reporting.report import write_rejected
from include.settings import ROOT
from sandbox.customers import generate
from tests.store.conftest import Make
from tests.support import AD, numbers, write_csv

pytestmark = pytest.mark.services

GOOD = [
    "010-1234-5678",
    "01012345679",
    "+82 10 1234 5680",
    "0082-10-1234-5681",
    "(010) 1234 5682",
    "０１０１２３４５６８３",
    "1012345684",
    "011-234-5678",
    "016 345 6789",
    "019-456-7890",
]
BAD = [
    ("1.01E+09", "scientific_notation"),
    ("02-123-4567", "landline"),
    ("070-1234-5678", "internet_phone"),
    ("1588-1234", "representative_number"),
    ("080-123-4567", "toll_free"),
    ("+1 212 555 0100", "foreign"),
    ("010-1234-567", "too_short"),
    ("010-1234-56789", "too_long"),
    ("", "empty"),
    ("   ", "empty"),
    ("김철수", "not_a_number"),
]
MASKED_PARTS = {"02-123-4567": "1234567", "010-1234-56789": "3456789", "+1 212 555 0100": "2125550"}


def test_every_spelling_is_one_number_and_every_bad_one_has_its_reason(make: Make, tmp_path: Path) -> None:
    campaign = make([(number, "김") for number in GOOD] + [(raw, "이") for raw, _ in BAD])
    counts = campaign.import_()
    assert (counts.rows_read, counts.rejected) == (len(GOOD) + len(BAD), len(BAD))
    staged = campaign.store.execute(f"SELECT reject_reason FROM {campaign.staged} ORDER BY row_no").fetchall()
    assert [reason for (reason,) in staged] == [None] * len(GOOD) + [reason for _, reason in BAD]

    written = write_rejected(campaign.store, campaign.run.run_id, tmp_path / "rejected.csv")
    with (tmp_path / "rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        shown = list(csv.DictReader(file))
    assert written == len(shown) == len(BAD)
    for place, (row, (raw, reason)) in enumerate(zip(shown, BAD, strict=True)):
        assert int(row["row"]) == len(GOOD) + place + 2, "the header is row 1"
        assert (row["field"], row["reason"]) == ("phone", REASONS[reason].label)
        assert row["fix"]
        assert not raw.strip() or raw not in row["masked value"], "the CSV must not show what was refused"
        digits = "".join(c for c in row["masked value"] if c.isdigit())
        assert len(digits) <= 7


def test_the_csv_of_rejected_rows_holds_no_formulas(make: Make, tmp_path: Path) -> None:
    phones = ["=cmd|'/c calc'!A1", "+cmd", "@SUM(1)", "-2+3", "\t=1", "＝1+1", "\r=1", "010-1234-567"]
    header = "=HYPERLINK(1)"
    rows = [*((phone, "x") for phone in phones), ("01012345678", "😀")]
    text = f"[ACME] {{{{{header}}}}}"
    campaign = make(rows, header=("phone", header), columns={"phone": "phone"}, text=text, purpose="informational")
    campaign.import_()
    write_rejected(campaign.store, campaign.run.run_id, tmp_path / "rejected.csv")
    with (tmp_path / "rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        shown = list(csv.reader(file))[1:]
    assert len(shown) == len(rows)
    assert not [cell for row in shown for cell in row if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")]
    assert shown[0][5].startswith("'=*")
    assert shown[-1][1] == f"'{header}"


def test_a_message_that_cannot_be_sent_to_a_row_rejects_the_row(make: Make) -> None:
    text = AD.replace("{{name|고객}}", "{{name}} {{ city | 서울 }}")
    rows = [
        ("01012345670", "김", ""),
        ("01012345671", "", "부산"),
        ("01012345672", "김😀", "부산"),
        ("01012345673", "가" * 40, "부산"),
    ]
    campaign = make(rows, header=("phone", "name", "city"), text=text)
    campaign.import_()
    found = campaign.store.execute(
        f"SELECT reject_field, reject_reason, reject_detail, masked_value FROM {campaign.staged} ORDER BY row_no"
    ).fetchall()
    assert [(field, reason) for field, reason, _, _ in found] == [
        (None, None),
        ("name", "missing_variable"),
        ("name", "unencodable"),
        ("message.text", "text_too_long"),
    ]
    assert "😀" in found[2][2], "the character is named"
    assert all("김😀" not in (masked or "") for *_, masked in found)


@pytest.mark.parametrize("large", [0, 1 << 30], ids=["by several processes", "by one"])
def test_a_malformed_file_names_the_row_and_stages_nothing(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr("include.audience.staging.LARGE", large)
    path = tmp_path / "broken.csv"
    rows = [f"{number},김" for number in numbers(25_000)]
    rows[20_000] = "01012345678,김,one too many"
    path.write_text("phone,name\n" + "\n".join(rows) + "\n", encoding="utf-8")
    campaign = make(path)
    with pytest.raises(MalformedFile) as caught:
        campaign.import_()
    assert caught.value.row == 20_002
    assert "broken.csv, row 20002" in str(caught.value).replace(",002", "002")
    assert campaign.value("SELECT to_regclass(%s)", campaign.staged) is None
    assert campaign.again().rows_read is None


def test_several_processes_stage_what_one_stages(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dirty.csv"
    truth = generate(path, 20_000, 5)
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write('C1,김"철수,01099998888,일반,서울,1,2026-01-01,Y\n' * 3)  # quotes that mislead whoever counts them
    columns = {"phone": "휴대폰", "name": "이름", "consent": "수신동의"}
    staged = []
    for large in (0, 1 << 30):
        monkeypatch.setattr("include.audience.staging.LARGE", large)
        monkeypatch.setattr("include.audience.staging.PROCESSES", 2)
        monkeypatch.setattr("include.audience.blocks.SIZE", 100_000)
        campaign = make(path, columns=columns)
        counts = campaign.import_()
        assert (counts.rows_read, counts.rejected) == (20_003, sum(truth.rejected.values()))
        staged.append(
            campaign.store.execute(
                "SELECT row_no, blanks, consent, kind, phone_index, length(payload_enc), reject_field, reject_reason, "
                f"reject_detail, masked_value FROM {campaign.staged} ORDER BY row_no"
            ).fetchall()
        )
        assert campaign.freeze().recipients == truth.recipients + 1
    assert staged[0] == staged[1]


def test_a_missing_column_is_refused_with_the_ones_there_are(make: Make) -> None:
    campaign = make([("01012345678", "김")], columns={"phone": "휴대전화"})
    with pytest.raises(Refused, match="It has: phone, name"):
        campaign.import_()


def test_a_repeated_import_replaces_the_one_before(make: Make, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ("phone", "name"), [(n, "김") for n in numbers(500)])
    campaign = make(path)
    campaign.import_()
    write_csv(path, ("phone", "name"), [(n, "김") for n in numbers(300)])
    assert campaign.import_().rows_read == 300
    assert campaign.value(f"SELECT count(*) FROM {campaign.staged}") == 300
    assert campaign.run.rows_read == 300


TABLE = '휴대폰;이름;동네\n010-1234-5678;김철수;서울\n01011112222;"이\n영희";부산\n'.replace(";", "{}")


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_files_of_every_kind_say_the_same(make: Make, tmp_path: Path, separator: str, encoding: str) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(TABLE.replace("{}", separator).encode(encoding))
    check_contents(make, path)


def test_excel_says_the_same_as_csv(make: Make, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["휴대폰", "이름", "동네"], ["010-1234-5678", "김철수", "서울"], [1011112222, "이\n영희", "부산"]):
        sheet.append(row)
    book.save(tmp_path / "contacts.xlsx")
    check_contents(make, tmp_path / "contacts.xlsx")


def check_contents(make: Make, path: Path) -> None:
    campaign = make(path, columns={"phone": "휴대폰", "name": "이름"}, text=AD.replace("20%", "{{동네}} 20%"))
    counts = campaign.import_()
    assert (counts.rows_read, counts.rejected) == (2, 0)
    assert campaign.run.columns == ["phone", "name", "동네"]
    campaign.freeze()
    campaign.send_frozen()
    assert campaign.line_rows("dest_no, msg_contents") == [
        ("01012345678", "(광고) [ACME] 김철수님, 서울 20% 할인 무료수신거부 080-123-4567"),
        ("01011112222", "(광고) [ACME] 이 영희님, 부산 20% 할인 무료수신거부 080-123-4567"),
    ]


def test_a_suppression_list_with_a_bad_row_adds_nobody(make: Make, tmp_path: Path) -> None:
    campaign = make(1)
    bad = write_csv(tmp_path / "list.csv", ["번호"], [["01012345678"], ["02-123-4567"]])
    with pytest.raises(MalformedFile, match="row 3"):
        import_suppressions(campaign.store, campaign.ring, campaign.tenant_id, bad)
    assert campaign.value("SELECT count(*) FROM suppressions") == 0


def test_a_link_to_a_file_outside_the_tenants_folder_is_not_opened(
    make: Make, acme_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    others = write_csv(
        tmp_path_factory.mktemp("other-tenant") / "people.csv", ["phone", "name"], [["01012345678", "김"]]
    )
    file = write_csv(acme_folder / "people.csv", ["phone", "name"], [["01087654321", "이"]])
    campaign = make(file)
    file.unlink()
    file.symlink_to(others)  # after the campaign was checked
    with pytest.raises(
        Refused, match=r"people\.csv: the file is not in the folder of tenant acme\. Put it into"
    ) as caught:
        campaign.import_()
    assert str(acme_folder) in str(caught.value)
    assert campaign.value("SELECT to_regclass(%s)", campaign.staged) is None


@pytest.mark.parametrize(
    "lines", ["01022220001\n01022220002\n", "1588\n01022220002\n", "02-123-4567\n", "김,01022220001\n이,01022220002\n"]
)
def test_an_opt_out_list_without_a_header_is_refused_and_nothing_of_it_is_stored(
    make: Make, tmp_path: Path, lines: str
) -> None:
    campaign = make(1)
    headerless = tmp_path / "refused.csv"
    headerless.write_text(lines, encoding="utf-8")
    with pytest.raises(MalformedFile, match="not like a header") as caught:
        import_suppressions(campaign.store, campaign.ring, campaign.tenant_id, headerless, "opted_out")
    assert "2222" not in str(caught.value)
    assert campaign.value("SELECT count(*) FROM suppressions") == 0


MEMORY = """
import resource, sys
from pathlib import Path
from tests.support import Databases, make_campaign
home, store, platform, line, tables, ring, small, large = sys.argv[1:]
databases = Databases(Path(home), store, platform, "", "", line, tables, Path(ring), {})
for file in (small, large):
    campaign = make_campaign(databases, Path(file))
    campaign.import_()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_is_flat_in_the_length_of_the_file(make: Make, tmp_path: Path) -> None:
    databases = make(1).databases
    files = [
        write_csv(tmp_path / f"{rows}.csv", ("phone", "name"), ((n, "김철수") for n in numbers(rows)))
        for rows in (50_000, 200_000)
    ]
    told = subprocess.run(
        [
            *(sys.executable, "-c", MEMORY),
            *(databases.home, databases.store_url, databases.platform_url),
            *(databases.line_url, databases.line_tables_url, databases.keyring),
            *files,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    small, large = map(int, told)
    assert large - small < 16, f"{small} MB for 50,000 rows, {large} MB for 200,000"


def test_a_test_send_reads_no_file_of_customers(make: Make, acme_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the file itself under another name, which a link may have become since, nor a copy of it."""
    monkeypatch.setattr("include.audience.staging.MOST_TESTERS", 3)
    team, copy = acme_folder / "team.csv", acme_folder / "copy.csv"
    for test_file, problem in ((team, "the test file is the file of the customers"), (copy, "at most 3 people")):
        campaign = make(4, audience={"test_file": str(test_file)})
        for file in (team, copy):
            file.unlink(missing_ok=True)
        team.symlink_to(campaign.spec.audience.file)
        shutil.copy(campaign.spec.audience.file, copy)
        campaign.begin(test_send=True)
        with pytest.raises(Refused, match=problem):
            campaign.import_()
        assert campaign.value("SELECT to_regclass(%s)", campaign.staged) is None

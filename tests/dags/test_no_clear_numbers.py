"""After a run, no number of the customer file is readable outside the SMS line: store, Airflow's metadata, files."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.types.string import TextLoader

from tests.airflow_runs import RunningAirflow
from tests.dirty_run import DirtyRun
from tests.support import find_clear_numbers

pytestmark = pytest.mark.airflow
TEXT_TYPES = ("text", "varchar", "bytea", "jsonb", "json", "_text", "_varchar", "bpchar", "name", "xml")
# What the databases and the line hold as their own; the line has to know the numbers.
DATABASE_FILES = {"postgres", "mariadb", "sockets"}
BLOCK, OVERLAP = 4 << 20, 64
_GROUPED = re.compile(rb"(?<=\d)[ .\-()]{1,2}(?=\d)")
_DIGITS = re.compile(rb"(?=(1[016789]\d{8}))")


class Needles:
    """Numbers without their leading zero, found in any spelling with blanks, dots, dashes or brackets between.

    Not fewer digits: the eight last ones of some number are in any long log by chance.
    """

    def __init__(self, numbers: Iterable[str]) -> None:
        self.wanted = {number[1:].encode() for number in numbers}

    def found_in(self, content: bytes) -> bool:
        digits = _GROUPED.sub(b"", content)
        return any(match[1] in self.wanted for match in _DIGITS.finditer(digits))


@pytest.fixture(scope="module")
def needles(dirty_run: DirtyRun) -> Needles:
    assert len(dirty_run.numbers) > 4_000
    assert dirty_run.process.returncode == 0
    return Needles(dirty_run.numbers)


def columns(database: psycopg.Connection) -> list[tuple[str, str, str]]:
    """(schema, table, column) of all that can hold text."""
    rows = database.execute(
        "SELECT n.nspname, c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relkind = 'r' "
        "AND a.attnum > 0 AND NOT a.attisdropped AND t.typname = ANY(%s)",
        [list(TEXT_TYPES)],
    ).fetchall()
    return [(str(schema), str(table), str(column)) for schema, table, column in rows]


def readable_in(database: psycopg.Connection, needles: Needles) -> list[str]:
    """Where a database holds a number readable, as ``table.column``."""
    found = set()
    for kind in ("json", "jsonb"):  # as it is written, however deep
        database.adapters.register_loader(kind, TextLoader)
    for schema, table, column in columns(database):
        statement = sql.SQL("SELECT {column} FROM {table} WHERE {column} IS NOT NULL").format(
            column=sql.Identifier(column), table=sql.Identifier(schema, table)
        )
        for (value,) in database.execute(statement):
            content = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
            if needles.found_in(content):
                found.add(f"{table}.{column}")
                break
    return sorted(found)


def files(home: Path) -> Iterator[Path]:
    """Every file of the home but the databases' own."""
    for path in sorted(home.rglob("*")):
        if path.relative_to(home).parts[0] not in DATABASE_FILES and path.is_file() and not path.is_symlink():
            yield path


def readable_file(path: Path, needles: Needles) -> bool:
    with path.open("rb") as file:
        kept = b""
        while block := file.read(BLOCK):
            if needles.found_in(kept + block):
                return True
            kept = (kept + block)[-OVERLAP:]
    return False


def test_the_store_holds_no_readable_number(dirty_run: DirtyRun, needles: Needles) -> None:
    with dirty_run.airflow.store() as store:
        assert len(columns(store)) > 50
        assert readable_in(store, needles) == []


def test_airflows_metadata_hold_no_readable_number(dirty_run: DirtyRun, needles: Needles) -> None:
    with dirty_run.airflow.store("airflow") as metadata:
        names = {f"{table}.{column}" for _, table, column in columns(metadata)}
        assert {"xcom.value", "log.extra", "rendered_task_instance_fields.rendered_fields", "dag_run.conf"} <= names
        row = metadata.execute("SELECT count(*) FROM xcom WHERE run_id = %s", [dirty_run.run.dag_run_id]).fetchone()
        assert row is not None
        assert row[0] > len(dirty_run.run.tasks("dispatch"))
        assert readable_in(metadata, needles) == []


def test_no_log_and_no_page_holds_a_readable_number(dirty_run: DirtyRun, needles: Needles) -> None:
    home = dirty_run.airflow.databases.home
    searched = list(files(home))
    logs = [path for path in searched if dirty_run.run.dag_run_id in str(path)]
    assert len(logs) >= len(dirty_run.run.tasks())
    assert {"data-docs", "logs", "manifests", "airflow"} <= {path.relative_to(home).parts[0] for path in searched}
    assert [path for path in searched if readable_file(path, needles)] == []


def test_what_the_command_shows_holds_no_readable_number(dirty_run: DirtyRun, needles: Needles) -> None:
    shown = dirty_run.process.stdout + dirty_run.process.stderr + json.dumps(dirty_run.report)
    assert not needles.found_in(shown.encode())
    out = dirty_run.airflow.folder / "rejected.csv"
    done = dirty_run.airflow.bongsu("rejected", "spring-sale", "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8-sig").count("\n") == sum(dirty_run.report["rejected"].values()) + 1
    assert not readable_file(out, needles)


@pytest.mark.parametrize("spelling", ["{0}{1}{2}", "{0}-{1}-{2}", "+82 10 {1} {2}", "(010) {1}.{2}", "10{1}{2}"])
def test_the_search_finds_a_number_that_is_there(
    airflow: RunningAirflow, needles: Needles, dirty_run: DirtyRun, tmp_path: Path, spelling: str
) -> None:
    number = dirty_run.numbers[len(dirty_run.numbers) // 2]
    planted = spelling.format(number[:3], number[3:7], number[7:])
    # at the border of two blocks, in any field of any table, encrypted bytes or not
    file = tmp_path / "planted.log"
    file.write_bytes(b"x" * (BLOCK - 5) + planted.encode() + b"\n")
    assert readable_file(file, needles)
    with airflow.store() as store:
        store.execute("UPDATE runs SET refusal = %s WHERE run_id = %s", [f"저 {planted}", dirty_run.run.run_id])
        store.execute(
            "UPDATE recipients SET payload_enc = %s WHERE run_id = %s", [planted.encode(), dirty_run.run.run_id]
        )
        found = [re.sub("_y[0-9]{4}m[0-9]{2}", "", name) for name in readable_in(store, needles)]
        assert {"runs.refusal", "recipients.payload_enc"} <= set(found)
        store.rollback()
    with airflow.store("airflow") as metadata:
        metadata.execute("UPDATE xcom SET value = %s::jsonb", [json.dumps({"to": [planted]})])
        assert readable_in(metadata, needles) == ["xcom.value"]
        metadata.rollback()


def test_the_line_has_the_numbers_of_course(dirty_run: DirtyRun) -> None:
    with dirty_run.airflow.line() as line, line.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT dest_no FROM SANDBOX_SENT WHERE app_etc1 LIKE %s", (f"{dirty_run.run.run_id}.%",)
        )
        sent = {number for (number,) in cursor.fetchall()}
    assert len(sent) == dirty_run.truth.recipients
    assert sent <= set(dirty_run.numbers)


def test_the_store_search_of_the_other_rooms_agrees(dirty_run: DirtyRun) -> None:
    assert find_clear_numbers(dirty_run.airflow.databases.owner_url, dirty_run.numbers) == []

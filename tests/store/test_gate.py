"""The gate: every threshold passed and refused, in words, on a page that shows nobody's number."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from include.audience.gate import GateResult, rejections, run_gate
from include.campaigns import runs
from include.errors import Refused
from tests.store.conftest import Make
from tests.support import Campaign, make_campaign, numbers, write_csv

pytestmark = [pytest.mark.services, pytest.mark.slow]

BASE = [(number, "김", "서울") for number in numbers(80)]
ROWS = BASE + [(number, "", "부산") for number in numbers(10)] + [("02-123-4567", "이", "")] * 10
"""100 rows: 90 usable, of which 10 repeat a number; 10 without a name, 10 without a city."""


def gate_of(campaign: Campaign, folder: Path) -> GateResult:
    return run_gate(campaign.databases.store_url, campaign.run, folder / str(campaign.run.run_id))


def make_gated(make: Make, gate: dict[str, Any], rows: Any = ROWS) -> Campaign:
    campaign = make(rows, header=("phone", "name", "동네: 구"), audience={"gate": gate})
    campaign.import_()
    return campaign


@pytest.mark.parametrize(
    ("gate", "failed"),
    [
        ({}, None),
        ({"min_valid_share": 0.9}, None),
        ({"min_valid_share": 0.91}, "valid_share"),
        ({"min_valid_share": 0}, None),
        ({"rows": {"min": 100, "max": 100}}, None),
        ({"rows": {"min": 101}}, "rows"),
        ({"rows": {"max": 99}}, "rows"),
        ({"max_duplicate_share": 0.1112}, None),
        ({"max_duplicate_share": 0.11}, "duplicates"),
        ({"max_null_share": {"name": 0.1}}, None),
        ({"max_null_share": {"name": 0.09}}, "blank:name"),
        ({"max_null_share": {"name": 0.5, "동네: 구": 0.05}}, "blank:동네: 구"),
    ],
    ids=str,
)
def test_each_threshold(make: Make, tmp_path: Path, gate: dict[str, Any], failed: str | None) -> None:
    campaign = make_gated(make, gate)
    result = gate_of(campaign, tmp_path)
    assert (result.rows, result.valid, result.rejected) == (100, 90, 10)
    assert [check.name for check in result.checks if not check.passed] == ([failed] if failed else [])
    assert result.passed is (failed is None)
    if failed:
        said = result.refusal("spring-sale")
        (check,) = (check for check in result.checks if not check.passed)
        assert check.observed in said
        assert check.limit in said
        assert "audience.gate." in said
        assert "./bongsu rejected spring-sale" in said


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        ({"min_ratio": 0.7}, True),
        ({"min_ratio": 0.71}, False),
        ({"max_ratio": 0.7}, True),
        ({"min_ratio": 0, "max_ratio": 0.69}, False),
        ({"min_ratio": 0.5, "max_ratio": 2}, True),
    ],
    ids=str,
)
def test_the_change_since_the_last_finished_run(
    make: Make, tmp_path: Path, change: dict[str, float], passed: bool
) -> None:
    campaign = make_gated(make, {"change_from_last_run": change}, [(n, "김", "") for n in numbers(100)])
    first = gate_of(campaign, tmp_path)
    assert first.passed
    assert "change" not in [check.name for check in first.checks], "there is no run to compare with yet"
    runs.set_state(campaign.store, campaign.run.run_id, "finished")
    campaign.begin()
    write_csv(Path(campaign.spec.audience.file), ("phone", "name", "동네: 구"), [(n, "김", "") for n in numbers(70)])
    campaign.import_()
    again = gate_of(campaign, tmp_path)
    assert again.passed is passed
    (check,) = (check for check in again.checks if check.name == "change")
    assert check.passed is passed
    assert "the last run had 100" in check.subject


def test_a_run_that_was_not_finished_is_no_measure(make: Make, tmp_path: Path) -> None:
    campaign = make_gated(make, {"change_from_last_run": {"min_ratio": 1}}, [(n, "김", "") for n in numbers(100)])
    runs.set_state(campaign.store, campaign.run.run_id, "refused", "why")
    campaign.begin()
    campaign.import_()
    assert "change" not in [check.name for check in gate_of(campaign, tmp_path).checks]


def test_a_test_send_is_no_measure_and_is_not_measured(make: Make, tmp_path: Path) -> None:
    own = write_csv(tmp_path / "own.csv", ("phone", "name"), [(number, "나") for number in numbers(2)])
    gate = {"rows": {"min": 50}, "change_from_last_run": {"min_ratio": 0.9}, "max_null_share": {"동네: 구": 0.5}}
    rows = [(n, "김", "서울") for n in numbers(60)]
    audience = {"gate": gate, "test_file": str(own)}
    campaign = make(rows, test_send=True, header=("phone", "name", "동네: 구"), audience=audience)
    campaign.import_()
    assert gate_of(campaign, tmp_path).passed
    runs.set_state(campaign.store, campaign.run.run_id, "finished")
    campaign.begin()
    campaign.import_()
    assert [check.name for check in gate_of(campaign, tmp_path).checks] == ["rows", "valid_share", "blank:동네: 구"]


def test_a_watched_column_that_the_file_lacks_is_refused(make: Make) -> None:
    with pytest.raises(Refused, match="No column is the 이름"):
        make_gated(make, {"max_null_share": {"이름": 0.5}})


def test_a_file_without_a_usable_row_is_refused_whatever_the_spec_says(make: Make, tmp_path: Path) -> None:
    gate = {"min_valid_share": 0, "rows": {"min": 0}, "max_duplicate_share": 0, "max_null_share": {"name": 1}}
    campaign = make_gated(make, gate, [("02-123-4567", "이", "")] * 3)
    result = gate_of(campaign, tmp_path)
    assert [check.name for check in result.checks if not check.passed] == ["valid_share"]
    assert "at least one" in result.refusal("x")
    campaign.store.execute(f"DELETE FROM {campaign.staged}")
    campaign.store.commit()
    empty = gate_of(campaign, tmp_path)
    assert "rows" in [check.name for check in empty.checks if not check.passed]
    assert "Rows in the file: 0; the gate asks for at least 1" in empty.refusal("x")


def test_the_page_is_kept_alone_and_shows_no_number(make: Make, tmp_path: Path) -> None:
    campaign = make_gated(make, {"max_duplicate_share": 0.05, "max_null_share": {"name": 0.01}})
    result = gate_of(campaign, tmp_path)
    page = result.docs.read_text(encoding="utf-8")
    assert [path.name for path in result.docs.parent.iterdir()] == ["index.html"]
    assert not re.search(r"0?10[- ]?\d{3,4}[- ]?\d{4}", page)
    assert not any(number[-8:] in page for number in numbers(80))
    assert not re.search(r"""(src|href)=["'](https?:)?//(?!greatexpectations\.io)""", page), "it needs no network"
    assert "<script" not in page
    assert "Must" in page or "must" in page
    again = gate_of(campaign, tmp_path)
    assert again.docs == result.docs


def test_no_row_leaves_the_server(make: Make, tmp_path: Path) -> None:
    campaign = make_gated(make, {"max_duplicate_share": 0.5, "max_null_share": {"name": 0.5}})
    most = []

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "pg_catalog" not in statement and cursor.description:
            most.append(cursor.rowcount)

    event.listen(Engine, "after_cursor_execute", count)
    try:
        gate_of(campaign, tmp_path)
    finally:
        event.remove(Engine, "after_cursor_execute", count)
    assert most
    assert max(most) <= 1


def test_the_gate_sees_its_tenant_only(make: Make, tmp_path: Path) -> None:
    campaign, other = make_gated(make, {}), make_gated(make, {})
    foreign = make_campaign(campaign.databases, Path(other.spec.audience.file), columns={"phone": "phone"})
    stranger = Campaign(**{**vars(foreign), "run": runs.load(campaign.store, campaign.run.run_id)})
    object.__setattr__(stranger.run, "tenant_id", foreign.tenant_id)
    assert gate_of(stranger, tmp_path).rows == 0
    foreign.close()


def test_rejections_are_counted_by_reason(make: Make) -> None:
    campaign = make_gated(make, {}, [*ROWS, ("", "김", "서울")])
    assert rejections(campaign.databases.store_url, campaign.run) == {"landline": 10, "empty": 1}

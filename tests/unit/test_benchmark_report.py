"""What the benchmarks say of their figures: met or missed, and slower than before."""

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.measure import Measured


def line(ratio: float) -> Measured:
    return Measured.at_most("import", ratio, 1.0, 15, against="COPY", rows=1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESULTS", "LATEST", "HISTORY"):
        monkeypatch.setattr(report, name, tmp_path / name if name != "RESULTS" else tmp_path)


def test_a_target_is_met_at_its_limit_and_missed_beyond() -> None:
    assert line(15).met
    assert not line(15.1).met
    assert Measured.at_least("dispatch", 50, 100, 0.5, against="LOAD DATA", rows=1).met
    assert not Measured.at_least("dispatch", 49, 100, 0.5, against="LOAD DATA", rows=1).met
    assert not Measured.bound("memory", 451, most=450, unit="MiB", rows=1).met


def test_a_slower_commit_is_seen_beside_runs_of_its_own_size() -> None:
    for ratio in (9, 10, 11):
        report.remember([line(ratio)], small=False)
    assert report.slower([line(12)], small=False) == []
    assert report.slower([line(13)], small=False) == ["import: ratio 13.00, was 10.00 in earlier runs"]
    assert report.slower([line(13)], small=True) == []

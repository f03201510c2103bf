"""A command that cannot write what it is to tell says so before it does anything."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.cli.__main__ import app
from tests.unit.test_lint_files import DEFINITION


@pytest.mark.parametrize(
    ("name", "problem"), [("folder", "Is a directory"), ("nowhere/report.json", "No such file or directory")]
)
def test_a_report_that_cannot_be_written_is_found_before_anybody_is_written_to(
    acme_folder: Path, name: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr("include.embedded.client.ensure", started)
    (acme_folder / "welcome.yaml").write_text(DEFINITION, encoding="utf-8")
    (acme_folder / "folder").mkdir()
    for command in (["run", str(acme_folder / "welcome.yaml"), "--report"], ["audit", "7", "--json"]):
        done = CliRunner().invoke(app, [*command, str(acme_folder / name)])
        assert done.exit_code == 1
        assert f"cannot be written ({problem})" in done.output
    assert not (acme_folder / "nowhere").exists()

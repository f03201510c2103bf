"""``bongsu lint`` looks at the headers of a campaign's files, without any service."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.cli.__main__ import app

DEFINITION = """\
tenant: acme
slug: welcome
title: 가입 환영
purpose: informational
audience:
  file: contacts.csv
  columns: {phone: 휴대폰, name: 이름}
  gate: {max_null_share: {name: 0.1}}
message: {channel: sms, sender: "02-1234-5678", text: "[ACME] {{name}}님 {{등급}}"}
"""
TEST_FILE = "  test_file: testers.csv\n  columns"


def lint(folder: Path, definition: str = DEFINITION, **files: str) -> tuple[int, str]:
    """Exit code and everything said."""
    (folder / "welcome.yaml").write_text(definition, encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    done = CliRunner().invoke(app, ["lint", str(folder / "welcome.yaml")])
    return done.exit_code, done.output


def test_files_that_fit_are_fine(acme_folder: Path) -> None:
    code, said = lint(
        acme_folder,
        DEFINITION.replace("  columns", TEST_FILE),
        contacts="휴대폰,이름,등급\n1,2,3\n",
        testers="휴대폰,이름,등급\n1,2,3\n",
    )
    assert code == 0
    assert said.endswith("welcome.yaml: fine, campaign welcome of tenant acme\n")
    assert "remark" not in said


def test_a_file_that_is_not_there_is_a_remark(acme_folder: Path) -> None:
    code, said = lint(acme_folder)
    assert code == 0
    assert (
        f"welcome.yaml: remark: audience.file: contacts.csv is not there yet; a run looks for it in {acme_folder}."
        in said
    )
    assert "welcome.yaml: remark: audience.test_file: there is none, so a test send is refused." in said


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("휴대전화,이름,등급", "The file has no column 휴대폰 (mapped to phone). Did you mean 휴대전화?"),
        ("휴대폰,이름", "the audience has no column for {{등급}}"),
        ("김하나,010-1234-5678,VIP", "it looks like a person, not like a header"),
        ("휴대폰,이름,이름", "have the same name"),
    ],
)
def test_a_header_that_does_not_fit_the_definition_is_a_mistake(acme_folder: Path, header: str, problem: str) -> None:
    code, said = lint(acme_folder, contacts=f"{header}\n1,2,3\n")
    assert code == 2
    assert problem in said
    assert "fine" not in said


def test_a_test_file_is_looked_at_like_the_customers(acme_folder: Path) -> None:
    code, said = lint(
        acme_folder,
        DEFINITION.replace("  columns", TEST_FILE),
        contacts="휴대폰,이름,등급\n1,2,3\n",
        testers="이름\n1\n",
    )
    assert code == 2
    assert "audience.test_file: The file has no column 휴대폰" in said

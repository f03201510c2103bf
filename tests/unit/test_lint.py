"""What ``bongsu lint`` says beside mistakes, and which tenants' titles are refused; no service is started."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.campaigns.definition import load_definition
from include.campaigns.remarks import remarks
from include.cli.__main__ import app

DEFINITION = """\
tenant: acme
slug: spring-sale
title: 봄맞이 할인
purpose: advertising
audience: {file: contacts.csv, columns: {phone: 휴대폰}}
message:
  channel: sms
  sender: "02-1234-5678"
  text: "(광고) [ACME] 봄맞이 20% 할인 무료수신거부 080-123-4567"
"""
NOW = datetime(2026, 12, 24, 0, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("acme_folder")


def remarked(folder: Path, text: str, now: datetime = NOW) -> list[str]:
    file = folder / "campaign.yaml"
    file.write_text(text, encoding="utf-8")
    return [str(remark) for remark in remarks(load_definition(file), now)]


def test_an_ordinary_definition_gets_no_remark(tmp_path: Path) -> None:
    assert remarked(tmp_path, DEFINITION) == []


def test_a_mobile_number_as_sender_is_remarked_and_not_shown(tmp_path: Path) -> None:
    (remark,) = remarked(tmp_path, DEFINITION.replace("02-1234-5678", "010-1234-5678"))
    assert (
        remark == "message.sender: it is a mobile number. Ask your carrier how many messages a day may go out from one."
    )


@pytest.mark.parametrize(
    ("schedule", "fields"),
    [
        ("{at: 2026-12-24T08:59}", ["schedule.at"]),
        ("{at: 2026-12-24T09:01}", []),
        ("{at: 2026-12-24T08:59, timezone: Europe/Berlin}", []),
        ('{daily: "09:00", valid_until: 2026-12-23}', ["schedule.valid_until"]),
        ('{daily: "09:00", valid_until: 2026-12-24}', []),
    ],
)
def test_a_moment_that_is_past_is_remarked(tmp_path: Path, schedule: str, fields: list[str]) -> None:
    found = remarked(tmp_path, f"{DEFINITION}schedule: {schedule}\n")
    assert [remark.split(":")[0] for remark in found] == fields


def test_an_advertisements_subject_without_the_label_is_remarked(tmp_path: Path) -> None:
    lms = DEFINITION + "  allow_lms: true\n  subject: "
    assert [r.split(":")[0] for r in remarked(tmp_path, lms + "봄맞이 할인\n")] == ["message.subject"]
    assert remarked(tmp_path, lms + "(광고) 봄맞이 할인\n") == []


def test_remarks_are_no_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text(DEFINITION.replace("02-1234-5678", "01012345678"), encoding="utf-8")
    done = CliRunner().invoke(app, ["lint", str(file)])
    assert done.exit_code == 0
    assert done.stdout == f"{file}: fine, campaign spring-sale of tenant acme\n"
    assert done.stderr.startswith(f"{file.name}: remark: message.sender: ")


@pytest.mark.parametrize("title", ["a\nb", "a\x1b[31mb", "a\u202eb", "   ", "가" * 201])
def test_a_tenants_title_is_one_visible_line(title: str) -> None:
    done = CliRunner().invoke(app, ["tenant", "add", "branch", "--title", title])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: --title: ")

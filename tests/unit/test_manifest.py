"""Manifests: what goes into an entry, and that reading one never yields fewer campaigns than were compiled."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from include.campaigns.definition import canonical
from include.campaigns.entries import NoLine, make_entry, timing
from include.campaigns.manifest import (
    BrokenManifest,
    DefinitionError,
    Entry,
    manifest_name,
    read_errors,
    read_manifest,
    write_errors,
    write_manifest,
)
from include.campaigns.spec import CampaignSpec, Schedule

TEXT = "(광고) {{name|고객}}님 할인 무료수신거부 080-123-4567"
PLAIN = "{{name|고객}}님, 주문하신 상품이 도착했습니다."


def row(slug: str = "spring", schedule: dict[str, Any] | None = None, purpose: str = "advertising") -> dict[str, Any]:
    """A row of ``campaigns/for_manifests``."""
    spec = CampaignSpec.model_validate(
        {
            "tenant": "acme",
            "slug": slug,
            "title": "봄맞이 할인",
            "purpose": purpose,
            "audience": {"file": "/data/contacts.csv", "columns": {"phone": "휴대폰"}},
            "message": {"channel": "sms", "sender": "0212345678", "text": TEXT if purpose == "advertising" else PLAIN},
            "schedule": schedule or {},
        }
    )
    return {
        "campaign_id": 7,
        "version": 3,
        "slug": slug,
        "dag_id": spec.dag_id,
        "shard": 0,
        "activated_at": datetime(2026, 11, 21, 3, tzinfo=UTC),
        "tenant_id": 1,
        "tenant": "acme",
        "tenant_title": "ACME",
        "timezone": "Asia/Seoul",
        "spec": canonical(spec),
        "lines": [1, 2, 3],
        "test_line": 10,
    }


def entry(slug: str = "spring") -> Entry:
    return make_entry(row(slug))


def test_what_was_written_is_read_sorted(tmp_path: Path) -> None:
    write_manifest(tmp_path, 3, [entry("b"), entry("a")])
    assert read_manifest(tmp_path / "campaigns_03.json") == [entry("a"), entry("b")]


def test_the_order_of_the_campaigns_makes_no_other_file(tmp_path: Path) -> None:
    assert write_manifest(tmp_path, 0, [entry("a"), entry("b")])
    before = (tmp_path / manifest_name(0)).stat()
    assert not write_manifest(tmp_path, 0, [entry("b"), entry("a")])
    assert (tmp_path / manifest_name(0)).stat().st_mtime_ns == before.st_mtime_ns
    assert write_manifest(tmp_path, 0, [replace(entry("a"), version=4)])


def test_a_shard_without_campaigns_has_a_manifest(tmp_path: Path) -> None:
    write_manifest(tmp_path, 9, [])
    assert read_manifest(tmp_path / "campaigns_09.json") == []


def test_nothing_half_written_is_left_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(tmp_path, 0, [entry("a")])

    def stop(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("include.campaigns.manifest.os.fsync", stop)
    with pytest.raises(OSError, match="no space left"):
        write_manifest(tmp_path, 0, [entry("a"), entry("b")])
    assert read_manifest(tmp_path / manifest_name(0)) == [entry("a")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is missing"),
        ("", "cannot be read"),
        ('{"format": 1, "campaigns": [', "cannot be read"),
        ("[]", "not of format 1"),
        ('{"format": 2, "hash": "", "campaigns": []}', "not of format 1"),
        ('{"format": 1, "campaigns": []}', "does not have the hash"),
    ],
)
def test_a_missing_or_broken_manifest_raises(tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "campaigns_00.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BrokenManifest, match=problem):
        read_manifest(path)


def test_a_manifest_with_fewer_campaigns_than_compiled_raises(tmp_path: Path) -> None:
    write_manifest(tmp_path, 0, [entry("a"), entry("b")])
    path = tmp_path / manifest_name(0)
    document = json.loads(path.read_text())
    document["campaigns"].pop()
    path.write_text(json.dumps(document))
    with pytest.raises(BrokenManifest, match="does not have the hash"):
        read_manifest(path)


def test_a_manifest_of_another_shape_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / manifest_name(0)
    monkeypatch.setattr("include.campaigns.manifest.asdict", lambda entry: {"dag_id": entry.dag_id})
    write_manifest(tmp_path, 0, [entry()])
    with pytest.raises(BrokenManifest, match="other fields"):
        read_manifest(path)


def test_wrong_definitions_are_listed_once_and_sorted(tmp_path: Path) -> None:
    a, b = DefinitionError("a.yaml", "wrong"), DefinitionError("b.yaml", "wrong")
    write_errors(tmp_path, [b, a, b])
    assert read_errors(tmp_path) == [a, b]


def test_a_missing_list_of_wrong_definitions_raises(tmp_path: Path) -> None:
    with pytest.raises(BrokenManifest, match="is missing"):
        read_errors(tmp_path)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({}, {}),
        ({"daily": "09:05"}, {"cron": "5 9 * * *"}),
        ({"weekly": {"days": ["sun", "mon", "sat"], "at": "18:00"}}, {"cron": "0 18 * * 1,6,0"}),
        ({"cron": "0  9 1 * *"}, {"cron": "0 9 1 * *"}),
        ({"at": "2026-12-24T09:00"}, {"at": "2026-12-24T00:00:00+00:00"}),
        ({"at": "2026-12-24T09:00-05:00"}, {"at": "2026-12-24T14:00:00+00:00"}),
    ],
)
def test_schedules_become_moments_and_cron_expressions(schedule: dict[str, Any], expected: dict[str, str]) -> None:
    assert timing(Schedule.model_validate(schedule), "Asia/Seoul") == expected


def test_the_schedules_own_zone_wins_over_the_tenants() -> None:
    made = make_entry(row(schedule={"at": "2026-12-24T09:00", "timezone": "Europe/Berlin"}))
    assert (made.timezone, made.schedule) == ("Europe/Berlin", {"at": "2026-12-24T08:00:00+00:00"})
    assert "2026-12-24 09:00 (Europe/Berlin)" in made.doc_md


def test_the_dags_page_says_what_is_sent_to_whom_when_and_from_where() -> None:
    said = make_entry(row(schedule={"weekly": {"days": ["mon", "thu"], "at": "09:00"}})).doc_md
    for part in (TEXT, "ACME", "0212345678", r"contacts\.csv", "Every Monday, Thursday at 09:00 (Asia/Seoul)"):
        assert part in said
    assert "/data" not in said


TRIGGER = "**Trigger** (트리거)"


@pytest.mark.parametrize(
    ("schedule", "test_file", "sentences"),
    [
        (
            {"daily": "09:00"},
            "/data/testers.csv",
            [
                f"open **Test send · 테스트 발송** in the list, press {TRIGGER}, choose `acme/spring`: only testers",
                f"press {TRIGGER} at the top. The ticked box there lets the schedule run, too.",
                "Every day at 09:00 (Asia/Seoul). Only while its switch in the list is on.",
                "**The report** is the log of `aggregate_results`",
            ],
        ),
        ({}, None, [f"press {TRIGGER} at the top. The ticked box there switches it on", "When a person starts it.\n"]),
    ],
)
def test_the_page_says_what_to_press(schedule: dict[str, Any], test_file: str | None, sentences: list[str]) -> None:
    one = row(schedule=schedule)
    spec = json.loads(one["spec"])
    spec["audience"]["test_file"] = test_file
    said = make_entry(one | {"spec": json.dumps(spec)}).doc_md
    assert [sentence for sentence in sentences if sentence not in said] == []
    assert ("Test send" in said) == (test_file is not None)


def page_of(title: str = "봄맞이 할인", tenant_title: str = "ACME", **audience: Any) -> str:
    """The page of a campaign whose words are the ones given."""
    one = row()
    spec = json.loads(one["spec"])
    spec["title"] = title
    spec["message"] |= {"subject": title, "allow_lms": True}
    spec["audience"] |= audience
    return make_entry(one | {"spec": json.dumps(spec), "tenant_title": tenant_title}).doc_md


HOSTILE = [
    "![p](http://127.0.0.1:9/p.png)",
    "[x](javascript:alert) <img src=x>",
    "<!-- `a` ~~b~~ http://x",
    "**To** nobody _a_ | b | &lt; \\",
    "# 1. - + > `",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_what_people_wrote_shows_on_the_page_as_they_wrote_it(words: str) -> None:
    """Read as Markdown, the page has the parts of any other, and the words stand in it letter by letter."""
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])

    def kinds(page: str) -> list[str]:
        tokens = markdown.parse(page)
        return [token.type for top in tokens for token in (top, *(top.children or []))]

    plain = page_of(file="/data/x.csv", test_file="/data/y.csv")
    tenant = f"    {words}\n\n**To** nobody\n\n\x1b\u202e"
    file = words.replace("/", "") + ".csv"
    page = page_of(words, tenant, file=f"/data/{file}", test_file=f"/data/{file}")
    assert kinds(page) == kinds(plain)
    shown = "".join(
        child.content for token in markdown.parse(page) for child in token.children or [] if child.type == "text"
    )
    assert shown.startswith(f"{words}{words} **To** nobody sends this")
    assert shown.count(words) >= 3
    assert shown.count(file) == 2


@pytest.mark.parametrize(
    ("purpose", "audience", "sentence"),
    [
        ("advertising", {}, "The tenant vouches for the consent of everybody in the file; who has refused, or is"),
        (
            "advertising",
            {"columns": {"phone": "a", "consent": "동의"}},
            "Only people with a clear yes in the column 동의 ",
        ),
        ("advertising", {"consent": "recorded"}, "Only people with a consent recorded in the campaign store are"),
        ("informational", {}, "No consent is needed, for it is informational; who is on the suppression list is left"),
    ],
)
def test_the_page_says_which_consent_is_in_force(purpose: str, audience: dict[str, Any], sentence: str) -> None:
    one = row(purpose=purpose)
    spec = json.loads(one["spec"])
    spec["audience"] |= audience
    assert sentence in make_entry(one | {"spec": json.dumps(spec)}).doc_md


@pytest.mark.parametrize(("purpose", "priority"), [("advertising", 10), ("informational", 20), ("authentication", 30)])
def test_authentication_goes_before_information_before_advertising(purpose: str, priority: int) -> None:
    assert make_entry(row(purpose=purpose)).priority == priority


def test_the_page_shows_a_moment_by_the_clocks_of_the_campaign() -> None:
    assert "Once, 2026-12-24 09:00 (Asia/Seoul)" in make_entry(row(schedule={"at": "2026-12-24T00:00Z"})).doc_md


def test_a_tenant_without_lines_cannot_be_used() -> None:
    with pytest.raises(NoLine, match="has no line"):
        make_entry(row() | {"lines": []})

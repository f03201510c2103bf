"""Definitions: what is accepted, and for each mistake the message its author reads.

A mistake is a pair of files in ``cases/definitions``: ``<name>.yaml`` and ``<name>.txt`` with the whole message.
"""

import json
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.campaigns.definition import load_definition, schema_text, spec_hash
from include.campaigns.spec import CampaignSpec
from include.errors import SpecError

CASES = Path(__file__).parent / "cases" / "definitions"
ROOT = Path(__file__).resolve().parents[2]

DESIGN = """\
tenant: acme
slug: spring-sale
title: 봄맞이 할인
purpose: advertising            # advertising | informational | authentication
audience:
  file: contacts.csv            # csv or xlsx
  columns: {phone: 휴대폰, name: 이름}
message:
  channel: sms
  sender: "0212345678"
  text: "(광고) [ACME] {{name}}님, 봄맞이 20% 할인 … 무료수신거부 080-123-4567"
  fallback: []                  # further channels, in order
schedule: {}
delivery: {chunk_size: 10000}
"""

pytestmark = pytest.mark.usefixtures("acme_folder")


def loaded(folder: Path, text: str = DESIGN) -> CampaignSpec:
    file = folder / "campaign.yaml"
    file.write_text(text, encoding="utf-8")
    return load_definition(file)


def with_schedule(folder: Path, schedule: str) -> CampaignSpec:
    return loaded(folder, DESIGN.replace("schedule: {}", f"schedule: {schedule}"))


@pytest.mark.parametrize("case", sorted(file.stem for file in CASES.glob("*.yaml")))
def test_each_mistake_has_its_message(case: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_definition(CASES / f"{case}.yaml")
    assert f"{caught.value}\n" == (CASES / f"{case}.txt").read_text(encoding="utf-8")


def test_every_expected_message_has_its_definition() -> None:
    assert {f.stem for f in CASES.glob("*.txt")} == {f.stem for f in CASES.glob("*.yaml")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DESIGN.replace("봄맞이 할인", "[" * 3000 + "]" * 3000, 1), "values stand more than 20 deep in each other"),
        ("".join(f"a{n}: &a{n} [{f'*a{n - 1}' if n else 'x'}]\n" for n in range(900)), "more than 20 deep"),
        (DESIGN.replace("봄맞이 할인", f"[{'x, ' * 10_000}]", 1), "more than 10,000 values"),
        (DESIGN + "# " + "x" * 100_000, "the file is larger than 100,000 bytes"),
        (DESIGN.replace("10000", "1" * 5000), "is out of range. Write a smaller number."),
        (DESIGN.replace("10000", "1" * 19), "is out of range. Write at most 100000."),
        ('title: "\\U00110000"', "this is not YAML"),
        (f"%YAML {'9' * 5000}.1\n---\n{DESIGN}", "this is not YAML"),
        (f"title: *{'x' * 5000}", "this is not YAML (found undefined alias"),
        ("".join(f"x{n}: 1\n" for n in range(60)) + DESIGN, "there are 10 more mistakes. Mend these first."),
    ],
    ids=[
        "nesting",
        "nesting by aliases",
        "values",
        "bytes",
        "digits",
        "whole number",
        "no such character",
        "YAML's version",
        "a long alias",
        "mistakes",
    ],
)
def test_a_file_beyond_a_limit_is_refused_and_read_no_further(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, text)
    assert problem in str(caught.value)
    assert max(map(len, str(caught.value).splitlines())) < 400


PIECES = [
    "[",
    "{",
    "}",
    "&a ",
    "*a",
    "!!int ",
    "!",
    "|",
    "\n",
    "'",
    '"',
    ": ",
    "- ",
    "? ",
    "%",
    "#",
    "9" * 30,
    "\\U0011",
    "\0",
]


@given(st.lists(st.tuples(st.integers(0, len(DESIGN)), st.integers(0, 9), st.sampled_from(PIECES)), max_size=6))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_accepted_or_its_mistakes_are_named(
    tmp_path: Path, edits: list[tuple[int, int, str]]
) -> None:
    text = DESIGN
    for place, cut, piece in edits:
        text = text[:place] + piece + text[place + cut :]
    with suppress(SpecError):
        loaded(tmp_path, text)


def test_the_designs_example_is_accepted(tmp_path: Path) -> None:
    spec = loaded(tmp_path)
    assert spec.dag_id == "campaign__acme__spring-sale"
    assert spec.delivery.receipt_hours == 72
    assert spec.audience.gate.min_valid_share == 0.5
    assert spec.audience.file == str(tmp_path / "contacts.csv")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert loaded(tmp_path, "\ufeff" + DESIGN) == loaded(tmp_path)


def test_values_stay_as_they_look(tmp_path: Path) -> None:
    text = DESIGN.replace('"0212345678"', "0212345670").replace("title: 봄맞이 할인", "title: no")
    spec = loaded(tmp_path, text)
    assert (spec.message.sender, spec.title) == ("0212345670", "no")
    assert with_schedule(tmp_path, "{daily: 10:30}").schedule.daily == "10:30"


def test_dashes_of_the_sender_are_dropped(tmp_path: Path) -> None:
    assert loaded(tmp_path, DESIGN.replace("0212345678", "02-1234-5678")).message.sender == "0212345678"


def test_hangul_in_parts_is_put_together(tmp_path: Path) -> None:
    import unicodedata

    assert loaded(tmp_path, unicodedata.normalize("NFD", DESIGN)).message == loaded(tmp_path).message


def test_a_date_is_valid_until_its_end(tmp_path: Path) -> None:
    spec = with_schedule(tmp_path, "{valid_from: 2026-12-01, valid_until: 2026-12-24}")
    assert spec.schedule.valid_until == datetime(2026, 12, 24, 23, 59, 59)
    assert spec.schedule.valid_from == datetime(2026, 12, 1)


def test_a_moment_keeps_its_offset(tmp_path: Path) -> None:
    spec = with_schedule(tmp_path, "{at: 2026-12-24T09:00+09:00}")
    assert spec.schedule.at == datetime(2026, 12, 24, 9, tzinfo=timezone(timedelta(hours=9)))


def test_days_are_put_in_order(tmp_path: Path) -> None:
    spec = with_schedule(tmp_path, "{weekly: {days: [sun, mon, mon], at: 09:00}}")
    assert spec.schedule.weekly is not None
    assert spec.schedule.weekly.days == ("mon", "sun")


def test_the_text_may_be_an_lms_when_allowed(tmp_path: Path) -> None:
    text = DESIGN.replace("20% 할인", "가" * 100).replace("fallback: []", "allow_lms: true\n  subject: 봄")
    assert loaded(tmp_path, text).message.allow_lms


def test_variables_do_not_count_for_the_size(tmp_path: Path) -> None:
    loaded(tmp_path, DESIGN.replace("{{name}}", "{{a_very_long_name_of_a_variable|" + "가" * 60 + "}}"))


def test_informational_needs_no_label(tmp_path: Path) -> None:
    text = DESIGN.replace("advertising ", "informational ").replace("(광고) ", "").replace("무료수신거부", "")
    assert loaded(tmp_path, text).purpose == "informational"


@pytest.mark.parametrize(
    "text",
    [
        "[ACME] 고객님의 광고 집행 내역을 알려 드립니다.",
        "광고주님, 정산 내역입니다: (광고비 10,000원)",
        "[광고성 정보 수신동의 처리 결과] 수신거부로 처리되었습니다.",
    ],
)
def test_prose_that_speaks_of_advertising_may_be_informational(tmp_path: Path, text: str) -> None:
    document = DESIGN.replace("advertising ", "informational ")
    a, b = document.index('  text: "'), document.index("  fallback")
    assert loaded(tmp_path, f'{document[:a]}  text: "{text}"\n{document[b:]}').message.text == text


@pytest.mark.parametrize(
    "opt_out",
    [
        "무료수신거부 080-123-4567.",
        "무료수신거부(080-123-4567)",
        "무료수신거부: (0801234567).",
        "무료수신거부 080 1234 5678",
    ],
)
def test_a_lawful_opt_out_is_accepted_as_it_is_usually_written(tmp_path: Path, opt_out: str) -> None:
    assert loaded(tmp_path, DESIGN.replace("무료수신거부 080-123-4567", opt_out)).message.text.endswith(opt_out)


@pytest.mark.parametrize("cron", ["0 9 * * *", "59 * * * *", "0 9 15W * *", "0 9 * * 1#2", "0 9 L * *", "*/70 9 * * *"])
def test_a_cron_expression_may_be_due_once_an_hour(tmp_path: Path, cron: str) -> None:
    assert with_schedule(tmp_path, f'{{cron: "{cron}"}}').schedule.cron == cron


def test_a_customer_file_that_is_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").symlink_to("contacts.csv")
    with pytest.raises(SpecError, match=r"line 6: audience\.file: 'contacts.csv' cannot be followed to a file"):
        loaded(tmp_path)


def test_the_first_and_the_last_year_can_be_shown_in_every_zone(tmp_path: Path) -> None:
    written = '{daily: "09:00", valid_from: 1970-01-01T00:00+14:00, valid_until: 9998-12-31T23:59-12:00}'
    schedule = with_schedule(tmp_path, written).schedule
    for moment in (schedule.valid_from, schedule.valid_until):
        assert moment is not None
        for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
            moment.astimezone(ZoneInfo(zone))


def test_the_stored_document_is_the_same_spec(tmp_path: Path) -> None:
    spec = with_schedule(tmp_path, "{at: 2026-12-24T09:00, timezone: Europe/Berlin}")
    again = CampaignSpec.model_validate(json.loads(json.dumps(spec.document())))
    assert again == spec
    assert spec_hash(again) == spec_hash(spec)


def test_the_hash_follows_the_meaning_not_the_writing(tmp_path: Path) -> None:
    written_otherwise = "# a comment\n" + DESIGN.replace("{chunk_size: 10000}", "{chunk_size: 10_000}").replace(
        "schedule: {}\n", ""
    )
    assert spec_hash(loaded(tmp_path, written_otherwise)) == spec_hash(loaded(tmp_path))
    assert spec_hash(loaded(tmp_path, DESIGN.replace("20%", "30%"))) != spec_hash(loaded(tmp_path))


def test_the_committed_schema_is_the_specs() -> None:
    committed = (ROOT / "docs" / "campaign-spec.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "write it again: ./bongsu schema > docs/campaign-spec.schema.json"


def test_every_field_of_the_schema_says_what_it_is() -> None:
    schema = json.loads(schema_text())
    parts = [schema, *schema["$defs"].values()]
    silent = [
        f"{part['title']}.{name}"
        for part in parts
        for name, field in part.get("properties", {}).items()
        if "description" not in field and "$ref" not in field
    ]
    assert silent == []

"""Definitions: what is accepted, and for each mistake the message its author reads.

A mistake is a pair of files in ``cases/definitions``: ``<name>.yaml`` and ``<name>.txt`` with the whole message.
"""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

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

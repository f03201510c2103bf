"""The documentation says what is true: fields, reasons, settings, commands, links and files are compared with code."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
import yaml

from include.audience.packing import YES
from include.audience.reasons import EXCLUSIONS, REASONS, REJECTIONS
from include.campaigns.definition import json_schema, load_definition, schema_text
from include.cli.__main__ import app
from include.crashpoints import CrashPoint
from include.reporting.audit import Audit
from include.settings import ROOT, Settings

PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "campaigns" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = "dags|operators|hooks|include|plugins|sql|sandbox|benchmarks|tests|docs|deploy|tools"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CELL_BAR = "\0"


def name_of(page: Path) -> str:
    """A page as the test's report names it."""
    return str(page.relative_to(ROOT))


def text_of(page: str | Path) -> str:
    """The text of a page, named from the project's root."""
    return (ROOT / page).read_text(encoding="utf-8")


def rows_of(page: str, heading: str = "") -> Iterator[list[str]]:
    """The cells of all table rows below a heading, or of the whole page, without the tables' heads."""
    text = text_of(page)
    if heading:
        text = re.split(rf"^#+ {re.escape(heading)}.*$", text, maxsplit=1, flags=re.MULTILINE)[1]
        text = re.split(r"^#", text, maxsplit=1, flags=re.MULTILINE)[0]
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("|") or set(line) <= set("|- "):
            continue
        if number + 1 < len(lines) and lines[number + 1].startswith("|-"):
            continue
        cells = line.replace(r"\|", CELL_BAR).strip("|").split("|")
        yield [cell.strip().replace(CELL_BAR, "|") for cell in cells]


def schema_fields(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every field of a definition that holds a value: its dotted path, its schema, whether it is required."""
    for name, field in node.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        below = [part["$ref"] for part in (field, *field.get("anyOf", [])) if "$ref" in part]
        target = json_schema()["$defs"][below[0].rsplit("/", 1)[1]] if below else {}
        if "properties" in target:
            yield from schema_fields(target, here)
        else:
            yield here, field, name in node.get("required", [])


FIELDS = list(schema_fields(json_schema()))


def code_of(page: Path) -> Iterator[str]:
    """What a page shows as code: the lines of its blocks, and code in its text."""
    text = text_of(page)
    for _, body in FENCE.findall(text):
        yield from body.splitlines()
    yield from re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_fields_are_found() -> None:
    paths = [path for path, _, _ in FIELDS]
    assert {"tenant", "audience.gate.rows.min", "schedule.weekly.at", "delivery.receipt_hours"} <= set(paths)
    assert len(paths) > 25


@pytest.mark.parametrize(("path", "field", "required"), FIELDS, ids=[path for path, _, _ in FIELDS])
def test_a_field_is_documented(path: str, field: dict[str, Any], required: bool) -> None:
    rows = {cells[0]: cells[1] for cells in rows_of("docs/campaign-spec.md") if len(cells) == 3}
    assert f"`{path}`" in rows, "docs/campaign-spec.md has no row for it"
    shown = rows[f"`{path}`"]
    if required:
        assert shown == "required"
    elif "default" in field:
        default = field["default"]
        words = {None: "none", True: "`true`", False: "`false`"}
        known = isinstance(default, bool) or default is None
        assert shown == (words[default] if known else f"`{default}`")
    else:
        assert shown == "the setting, 72"


def test_no_field_is_made_up() -> None:
    documented = {cells[0].strip("`") for cells in rows_of("docs/campaign-spec.md") if len(cells) == 3}
    assert documented - {path for path, _, _ in FIELDS} == set()


def test_the_schema_in_docs_is_the_specs() -> None:
    assert text_of("docs/campaign-spec.schema.json") == schema_text()


@pytest.mark.parametrize(("heading", "names"), [("Rejected", REJECTIONS), ("Excluded", EXCLUSIONS)])
def test_reasons_are_the_codes(heading: str, names: tuple[str, ...]) -> None:
    shown = [[cell.replace("`", "") for cell in cells] for cells in rows_of("docs/audience.md", heading)]
    reasons = [REASONS[name] for name in names]
    assert shown == [[reason.name, reason.label, reason.explanation, reason.fix] for reason in reasons]


def test_every_yes_is_documented() -> None:
    found = re.search(r"only a clear yes counts: ((?:`[^`]+` ?)+)", text_of("docs/audience.md"))
    assert found is not None
    assert set(re.findall(r"`([^`]+)`", found[1])) == YES


def test_settings_are_the_codes() -> None:
    rows = {cells[0].strip("`"): cells[1] for cells in rows_of("docs/operations/README.md", "Settings")}
    assert list(rows) == [f"BONGSU_{field.name.upper()}" for field in fields(Settings)]
    defaults = Settings.from_environment({})
    for field in fields(Settings):
        default, shown = getattr(defaults, field.name), rows[f"BONGSU_{field.name.upper()}"]
        if isinstance(default, Path):
            assert f"`{default.name}`" in shown
        else:
            assert shown == (
                f"`{default:g}`" if isinstance(default, int | float) else f"`{default}`" if default else "none"
            )


def test_crash_points_are_the_codes() -> None:
    shown = [(cells[0], cells[1].strip("`")) for cells in rows_of("docs/evidence.md", "Crash points")]
    assert shown == [(str(point.number), point.value) for point in CrashPoint]


def test_what_the_auditor_counts_is_documented() -> None:
    shown = [name for cells in rows_of("docs/evidence.md", "The auditor") for name in cells[0].split(", ")]
    assert shown == [name.replace("_", " ") for name in Audit(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0).faults]


def commands() -> dict[str, set[str]]:
    """Every command of the command line with its options, ``tenant add`` among them."""
    found: dict[str, set[str]] = {}

    def walk(command: Any, name: str) -> None:
        found[name] = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        for below, child in getattr(command, "commands", {}).items():
            walk(child, f"{name} {below}".strip())

    walk(typer.main.get_command(app), "")
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    known = commands()
    wrong = []
    for code in code_of(page):
        line = re.sub(r"docker compose exec (-\S+ )*\S+ ", "", code)  # the service's name is a command's, too
        for shown in re.findall(r"(?:^|[\s($])(?:\./bongsu|bongsu|python -m include\.cli) ([^#|)]+)", line):
            words = shown.split()
            name = "" if words[0].startswith("--") else words[0]
            if known.get(name) == set() and len(words) > 1 and f"{name} {words[1]}" in known:
                name = f"{name} {words[1]}"
            options = set(re.findall(r"--[a-z][a-z-]*", shown))
            if name not in known or options - known[name] - {"--help"}:
                wrong.append(shown)
    assert wrong == []


def test_every_command_is_documented() -> None:
    shown = "\n".join(line for page in PAGES for line in code_of(page))
    for name, options in commands().items():
        assert re.search(rf"bongsu {name}\b", shown), name
        assert name in ("", "tenant add") or all(option in shown for option in options - {"--help", "--timeout"}), name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    shown = {target for line in code_of(page) for target in re.findall(r"(?:^|\s)make ([a-z]+)", line)}
    assert shown - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text_of(page))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_exist(page: Path) -> None:
    named = {
        word
        for line in code_of(page)
        for word in re.findall(rf"(?<![\w./-])(?:{ROOMS})/[\w./-]*\w(?![\w<…*/])", line)
        if "NN" not in word
    }
    assert [word for word in sorted(named) if not (ROOT / word).exists()] == []


FULL_SPECS = [
    pytest.param(body, id=f"{name_of(page)}-{number}")
    for page in PAGES
    for number, (language, body) in enumerate(FENCE.findall(text_of(page)))
    if language == "yaml" and body.startswith("tenant:")
]


@pytest.mark.parametrize("text", FULL_SPECS)
def test_a_full_spec_validates(text: str, acme_folder: Path) -> None:
    file = acme_folder / "campaign.yaml"
    file.write_text(text, encoding="utf-8")
    assert load_definition(file).tenant == "acme"


def test_there_are_full_specs() -> None:
    assert len(FULL_SPECS) == 3


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_are_closed_and_yaml_is_yaml(page: Path) -> None:
    text = text_of(page)
    assert len(re.findall("^```", text, re.MULTILINE)) == 2 * len(FENCE.findall(text))
    for language, body in FENCE.findall(text):
        if language == "yaml":
            assert yaml.safe_load(body)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_can_be_read_in_one_go(page: Path) -> None:
    assert len(text_of(page).splitlines()) <= 150

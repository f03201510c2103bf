"""The loaders under a real Airflow parse: what loads, what raises, and that nothing but the manifest decides."""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from include.campaigns.definition import load_definition
from include.campaigns.manifest import DefinitionError, Entry, write_errors, write_manifest
from include.errors import SpecError
from include.settings import ROOT
from tests.dags.conftest import Parse, Parsed

REQUESTS = {"test_send": "test_send.py"}
"""The DAGs that are there without a campaign, and their files in dags/requests/."""
LOADERS = sorted((ROOT / "dags").glob("campaigns_*.py"))
BANNED = {"MySQLdb", "great_expectations", "numpy", "openpyxl", "pandas", "psycopg", "sqlalchemy"}


def test_every_campaign_is_a_dag_with_the_store_and_the_line_away(parsed: Parsed, entries: list[Entry]) -> None:
    assert parsed.errors == {}
    assert set(parsed.dags) == {entry.dag_id for entry in entries} | set(REQUESTS)


def test_a_dag_belongs_to_the_file_of_its_shard(parsed: Parsed, entries: list[Entry]) -> None:
    expected = {entry.dag_id: f"campaigns_{number % 4:02d}.py" for number, entry in enumerate(entries)}
    assert {dag_id: dag["file"] for dag_id, dag in parsed.dags.items()} == expected | REQUESTS


def test_the_same_definitions_are_the_same_bytes_under_another_hash_seed(
    parse: Parse, parsed: Parsed, manifests: Path
) -> None:
    def content(one: Parsed) -> dict[str, str]:
        # as Airflow hashes it: keys sorted (serialized_dag.py)
        return {dag_id: json.dumps(dag["serialized"], sort_keys=True) for dag_id, dag in one.dags.items()}

    assert content(parse(manifests, hash_seed="4242")) == content(parsed)


def test_a_wrong_definition_is_one_import_error_and_harms_no_other(
    parse: Parse, manifests: Path, entries: list[Entry]
) -> None:
    with pytest.raises(SpecError) as caught:
        load_definition(ROOT / "tests/unit/cases/definitions/unknown_purpose.yaml")
    message = "\n".join(map(str, caught.value.problems))
    write_errors(manifests, [DefinitionError(caught.value.source, message)])
    found = parse(manifests)
    assert list(found.errors) == ["definition_errors.py"]
    shown = found.errors["definition_errors.py"]
    assert (
        "unknown_purpose.yaml: line 4: purpose: 'advertizing' is not possible here. Did you mean advertising?" in shown
    )
    assert set(found.dags) == {entry.dag_id for entry in entries} | set(REQUESTS)


def test_an_entry_of_which_no_dag_can_be_built_is_one_import_error_and_harms_no_other(
    parse: Parse, manifests: Path, entries: list[Entry]
) -> None:
    in_one_shard = entries[0::4]
    no_zone, no_line, no_cron, *whole = in_one_shard
    bad = [
        replace(no_zone, timezone="Nowhere/Else", schedule={"cron": "0 9 * * *"}),
        replace(no_line, lines=[]),  # building fails when half of the tasks are there
        replace(no_cron, schedule={"cron": "0 99 * * *"}),
    ]
    write_manifest(manifests, 0, [*bad, *whole])
    parse(manifests)
    found = parse(manifests)
    assert list(found.errors) == ["definition_errors.py"]
    for entry in bad:
        said = f"store: {entry.tenant}/{entry.slug} version 1: no DAG can be built of it ("
        assert said in found.errors["definition_errors.py"]
    assert set(found.dags) == {entry.dag_id for entry in entries} - {entry.dag_id for entry in bad} | set(REQUESTS)
    write_manifest(manifests, 0, in_one_shard)
    parse(manifests)
    assert parse(manifests).errors == {}


def test_a_task_whose_dag_cannot_be_built_says_why(parse: Parse, manifests: Path, entries: list[Entry]) -> None:
    write_manifest(manifests, 0, [replace(entries[0], lines=[]), *entries[4::4]])
    found = parse(manifests, _AIRFLOW_PARSING_CONTEXT_DAG_ID=entries[0].dag_id)
    assert found.dags == {}
    assert "IndexError" in found.errors["campaigns_00.py"]


def test_a_missing_or_broken_manifest_raises_and_the_other_shards_load(
    parse: Parse, manifests: Path, entries: list[Entry]
) -> None:
    (manifests / "campaigns_01.json").unlink()
    cut = manifests / "campaigns_02.json"
    cut.write_text(cut.read_text(encoding="utf-8")[:-300], encoding="utf-8")
    fewer = manifests / "campaigns_03.json"
    document = json.loads(fewer.read_text(encoding="utf-8"))
    document["campaigns"].pop()
    fewer.write_text(json.dumps(document), encoding="utf-8")
    found = parse(manifests)
    assert {name: error.strip().splitlines()[-1].split("json: ")[-1][:27] for name, error in found.errors.items()} == {
        "campaigns_01.py": "the manifest is missing. Ap",
        "campaigns_02.py": "the manifest cannot be read",
        "campaigns_03.py": "the manifest does not have ",
    }
    assert set(found.dags) == {entry.dag_id for entry in entries[0::4]} | set(REQUESTS)


def test_a_task_that_is_about_to_run_builds_its_dag_alone(parse: Parse, manifests: Path, entries: list[Entry]) -> None:
    """Airflow parses one file then; ``airflow dags test`` parses all, and keeps what it finds as import errors."""
    wanted = entries[4].dag_id
    found = parse(manifests, _AIRFLOW_PARSING_CONTEXT_DAG_ID=wanted)
    assert list(found.dags) == [wanted]
    assert found.errors == {}


def test_a_task_of_a_dag_that_no_loader_has_raises(parse: Parse, manifests: Path) -> None:
    found = parse(manifests, _AIRFLOW_PARSING_CONTEXT_DAG_ID="campaign__acme__gone")
    assert found.dags == {}
    assert set(found.errors) == {path.name for path in LOADERS}
    assert "the manifest has no campaign__acme__gone, nor has any other" in found.errors["campaigns_01.py"]


def test_the_loaders_are_the_same_file() -> None:
    assert len(LOADERS) == 10
    assert len({path.read_text(encoding="utf-8") for path in LOADERS}) == 1


def test_airflow_looks_into_every_file() -> None:
    """In safe mode it skips files without both words."""
    for path in (ROOT / "dags").rglob("*.py"):
        text = path.read_text(encoding="utf-8").lower()
        assert "dag" in text, path.name
        assert "airflow" in text, path.name


def test_the_loaders_import_nothing_of_their_own() -> None:
    for path in (ROOT / "dags").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert imported <= {"pathlib", "operators"}, path.name


def test_loading_imports_none_of_the_banned_modules(manifests: Path, tmp_path: Path) -> None:
    """Beyond what Airflow's SDK itself has imported before it comes to our file."""
    script = (
        "import sys, runpy, json, airflow.sdk\n"
        "from airflow.sdk import DAG, Asset, BaseOperator\n"
        "before = set(sys.modules)\n"
        f"runpy.run_path({str(LOADERS[0])!r})\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT), "AIRFLOW_HOME": str(tmp_path), "BONGSU_MANIFESTS": str(manifests)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    added = set(json.loads(done.stdout.splitlines()[-1]))
    assert "operators" in added
    assert added & BANNED == set()


def test_a_folder_of_one_campaign_loads(parse: Parse, tmp_path: Path, entries: list[Entry]) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "campaigns_00.py").write_bytes(LOADERS[0].read_bytes())
    write_manifest(tmp_path, 0, entries[:1])
    found = parse(tmp_path, dags=dags)
    assert (found.errors, list(found.dags)) == ({}, [entries[0].dag_id])

"""Commands where the services are elsewhere, as in a container: they say what is true and leave nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from include.cli.__main__ import app
from include.cli.applying import definitions_in
from include.settings import settings

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory whose environment names services that do not answer."""
    for name, value in {
        "BONGSU_HOME": str(tmp_path),
        "BONGSU_STORE_URL": f"postgresql://bongsu_app:secret@{NOWHERE}/bongsu",
        "BONGSU_LINE_URL": f"mysql://bongsu:secret@{NOWHERE}/smsline",
        "BONGSU_AIRFLOW_URL": f"http://{NOWHERE}",
        "BONGSU_PLATFORM_URL": "",
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_status_tells_which_part_does_not_answer(home: Path) -> None:
    done = call("status")
    assert done.exit_code == 1
    for part in ("campaign store", "SMS line", "Airflow API"):
        assert part in done.stdout
    assert "bongsu up" not in done.stdout
    assert "secret" not in done.output


@pytest.mark.parametrize("command", ["status", "down"])
def test_looking_leaves_no_lock_file(home: Path, command: str) -> None:
    call(command)
    assert not list(home.iterdir())


def test_a_command_without_the_platforms_login_says_where_it_is(home: Path) -> None:
    done = call("tenant", "list")
    assert done.exit_code == 1
    assert "docker compose exec bongsu" in done.stderr


def test_an_apply_without_a_file_takes_the_definitions_of_every_tenant(tmp_path: Path) -> None:
    for name in ("acme/sale.yaml", "acme/members.csv", "other/sale.yml", "notes.yaml", "acme/old/sale.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(file.relative_to(tmp_path)) for file in definitions_in(tmp_path)]
    assert found == ["acme/sale.yaml", "other/sale.yml"]


def test_rejected_says_where_it_cannot_write(home: Path) -> None:
    done = call("rejected", "sale", "--out", str(home / "missing" / "rows.csv"))
    assert done.exit_code == 1
    assert str(home / "missing" / "rows.csv") in done.stderr
    assert "--out" in done.stderr

"""What one installs is the checkout or the image: nothing else can be built of the project."""

import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from include.settings import ROOT

PIP = ROOT / ".bongsu" / "bootstrap" / "bin" / "python"


def test_a_wheel_of_half_the_project_cannot_be_built(tmp_path: Path) -> None:
    command = [str(PIP), "-m", "pip", "--python", sys.executable, "wheel", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "it runs from its checkout or from the image" in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("hook", ["build_wheel", "build_sdist"])
def test_other_builders_are_refused_as_well(hook: str, tmp_path: Path) -> None:
    program = f"import editable_only; editable_only.{hook}({str(tmp_path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "tools")},
    )
    assert done.returncode == 1
    assert "it runs from its checkout" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_editable_install_leaves_no_second_set_of_entry_points(tmp_path: Path) -> None:
    """With the checkout on PYTHONPATH Airflow would register the plugin twice."""
    for name in ("pyproject.toml", "LICENSE", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    made = tmp_path / "made"
    made.mkdir()
    # An isolated build asks for the requirements first, which writes the metadata into the checkout.
    program = f"import editable_only as e; e.get_requires_for_build_editable(); e.build_editable({str(made)!r})"
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "tools")},
    )
    assert [file.suffix for file in made.iterdir()] == [".whl"]
    assert not list(tmp_path.glob("*.egg-info"))


def test_the_checkout_registers_what_airflow_looks_for() -> None:
    registered = list(distribution("bongsu").entry_points)
    groups = sorted(entry.group for entry in registered)
    assert groups == ["airflow.plugins", "airflow.policy", "apache_airflow_provider", "console_scripts"]
    for entry in registered:
        assert entry.load()

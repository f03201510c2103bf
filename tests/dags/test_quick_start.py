"""The quick start, typed as it stands into a folder of its own."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from include.settings import ROOT
from tests.quick_start import Command, File, steps
from tests.support import Databases

pytestmark = [pytest.mark.services, pytest.mark.slow]


def test_the_quick_start_does_what_it_says(databases: Databases, tmp_path: Path) -> None:
    """Runs go without Airflow's services, and what ``make`` starts is there already."""
    (tmp_path / "bongsu").symlink_to(ROOT / "bongsu")
    environment = {**os.environ, **databases.environment}
    for step in steps():
        if isinstance(step, File):
            (tmp_path / step.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / step.path).write_text(step.content, encoding="utf-8")
        elif not step.words.startswith("make "):
            done = typed(step, tmp_path, environment)
            assert done.returncode == 0, f"{step.words}\n{done.stdout}{done.stderr}"
            assert not step.promised or step.keeps_its_promise(done.stdout), f"{step.words}\n{done.stdout}"


def typed(step: Command, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = shlex.split(step.words)
    if words[1] == "run" and "--in-process" not in words:
        words.append("--in-process")
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)

"""The command line as a whole: its version, and the name by which it speaks of itself."""

import subprocess
import sys
import tomllib

import pytest

from include.settings import ROOT


def bongsu(*arguments: str) -> str:
    command = [sys.executable, "-m", "include.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_version_is_the_packages() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert bongsu("--version") == f"bongsu {declared}\n"


@pytest.mark.parametrize("words", [(), ("tenant",), ("campaign",), ("run",), ("tenant", "add")])
def test_help_calls_it_by_its_name(words: tuple[str, ...]) -> None:
    usage = bongsu(*words, "--help")
    assert f"Usage: {' '.join(('bongsu', *words))} " in usage
    assert "include.cli" not in usage

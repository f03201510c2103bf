"""What a person types: ``./bongsu``, ``make`` and the set-up, on machines as they are."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.settings import ROOT

SAYS = '#!/bin/sh\necho $(basename "$0") $LC_ALL >&2\n'


def test_python_starts_in_a_hangul_folder_without_a_locale(tmp_path: Path) -> None:
    """It reads .venv, where that path is written, in the encoding of the locale, whatever PYTHONUTF8 says."""
    folder = tmp_path / "손님 폴더"
    for name in ("tools/setup.sh", ".venv/bin/python"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(SAYS)
        (folder / name).chmod(0o755)
    for name in ("bongsu", "Makefile"):
        shutil.copy(ROOT / name, folder / name)
    bare = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    for command in (["./bongsu", "status"], ["make", "demo"]):
        done = subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True, check=False)
        assert done.stderr.splitlines() == ["setup.sh C.UTF-8", "python C.UTF-8"], done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@contextmanager
def checkout() -> Iterator[Path]:
    """A checkout with what set-up needs to begin; pytest's own folder lets nobody else pass."""
    made = Path("/tmp") / f"bongsu-checkout-{os.getpid()}"
    try:
        for name in ("bongsu", "tools/setup.sh", "tools/bootstrap.txt", "requirements.lock", "pyproject.toml"):
            (made / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, made / name)
        yield made
    finally:
        shutil.rmtree(made)


def test_another_users_checkout_is_refused_in_one_line() -> None:
    with checkout() as made:
        done = subprocess.run(
            ["./bongsu", "status"], cwd=made, user=65534, group=65534, extra_groups=[], capture_output=True, text=True
        )
    assert done.returncode == 1
    assert (
        done.stderr
        == f"Set-up stopped: {made} belongs to root. Work as that user, or with a copy of the project of your own.\n"
    )


def test_an_environment_of_another_checkout_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with checkout() as made:
        (made / ".venv").symlink_to(tmp_path)
        done = subprocess.run(["./bongsu", "status"], cwd=made, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{made}/.venv is a link, and what it leads to may be another checkout's. Remove the link." in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]

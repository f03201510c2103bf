"""Programs for a dump are those of the server's version, and no argument of theirs holds a password."""

import os
from pathlib import Path

import pytest

from include.backup.manifest import BackupError
from include.backup.postgres_tools import PROGRAMS, arguments_and_environment, find_tools


def test_no_password_is_an_argument_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATABASE", "another")
    url = "postgresql://bongsu_owner:hidden%2Fword@db.example:5433/bongsu?sslmode=require"
    arguments, environment = arguments_and_environment(url)
    assert not any("hidden" in argument for argument in arguments)
    assert environment["PGPASSWORD"] == "hidden/word"
    assert "PGDATABASE" not in environment
    for part in ("user=bongsu_owner", "host=db.example", "port=5433", "dbname=bongsu", "sslmode=require"):
        assert part in arguments[-1]


def programs(folder: Path, version: str) -> Path:
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_programs_are_of_the_servers_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, right = programs(tmp_path / "old", "77.1"), programs(tmp_path / "right", "99.3 (Debian 99.3-1)")
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, (old, right, "/usr/bin"))))
    assert find_tools(99) == right
    (right / "psql").unlink()
    with pytest.raises(BackupError, match=r"PostgreSQL 99.*this machine: it has .*77.*postgresql-client-99"):
        find_tools(99)

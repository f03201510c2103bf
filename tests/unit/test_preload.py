"""What a scheduler imports before it forks tasks."""

import sys
from importlib.util import find_spec

import pytest
from airflow.configuration import conf

from operators.preload import AIRFLOW, STAGES, forks_tasks


@pytest.mark.parametrize("name", [*AIRFLOW, *STAGES])
def test_a_module_that_is_preloaded_exists(name: str) -> None:
    assert find_spec(name) is not None


@pytest.mark.parametrize(
    ("command", "executor", "forks"),
    [
        ("scheduler", "LocalExecutor", True),
        ("scheduler", "CeleryExecutor", False),
        ("triggerer", "LocalExecutor", False),
    ],
)
def test_only_a_scheduler_that_forks_the_tasks_imports_the_stages(
    monkeypatch: pytest.MonkeyPatch, command: str, executor: str, forks: bool
) -> None:
    monkeypatch.setattr(sys, "argv", ["airflow", command])
    monkeypatch.setattr(conf, "get", lambda section, key: executor)
    assert forks_tasks() is forks

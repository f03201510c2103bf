"""What somebody finds after the first ``make up``: an example in Airflow's list, whose page says what to press."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.cli.airflow_api import Airflow
from include.cli.run_flow import ENDED
from include.embedded.client import stop_all
from include.embedded.state import Home
from include.settings import ROOT
from tests.airflow_runs import until
from tests.quick_start import Command, steps

pytestmark = [pytest.mark.services, pytest.mark.airflow, pytest.mark.slow]
DAG = "campaign__acme__welcome"


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A state directory in which nothing was ever started; not below pytest's own folder, see ``databases``."""
    (parent := ROOT / ".bongsu" / "test").mkdir(parents=True, exist_ok=True)
    home = Home(Path(tempfile.mkdtemp(prefix="first-", dir=parent)))
    yield home
    stop_all(home, 120)
    home.remove()


def bongsu(home: Home, *arguments: str) -> str:
    """What a command prints; fails with what it says when it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BONGSU_", "AIRFLOW_"))}
    environment = {**clean, "BONGSU_HOME": str(home.path), "BONGSU_POLL_SECONDS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "include.cli", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def printed(home: Home) -> str:
    """What the first ``bongsu up`` says."""
    return bongsu(home, "up")


@pytest.fixture(scope="module")
def api(printed: str) -> Iterator[Airflow]:
    values = dict(line.split(maxsplit=1) for line in printed.splitlines())
    session = Airflow(values["Airflow"], values["login"], values["password"])
    yield session
    session.http.close()


def test_up_ends_with_an_example_in_the_list_that_sends_nothing(printed: str, api: Airflow) -> None:
    promised = next(step for step in steps() if isinstance(step, Command) and step.words == "make up")
    assert promised.keeps_its_promise(printed), printed
    dag = api.dag(DAG)
    assert dag is not None
    assert (dag["dag_display_name"], dag["is_paused"], dag["is_stale"]) == ("가입 환영 (acme)", True, False)
    assert api.call("GET", f"/api/v2/dags/{DAG}/dagRuns")["total_entries"] == 0


def test_what_the_examples_page_says_to_press_works(home: Home, api: Airflow) -> None:
    page = str((api.dag(DAG) or {})["doc_md"])
    pressed = re.search(r"\*\*(Test send · \S+ \S+)\*\* in the list, press \*\*Trigger\*\* .*, choose `(.+?)`", page)
    assert pressed is not None
    assert (api.dag("test_send") or {})["dag_display_name"] == pressed[1]
    api.start("test_send", "test-by-hand", {"campaign": pressed[2]})
    until("the end of the test send", lambda: api.run_state("test_send", "test-by-hand") in ENDED)
    assert api.run_state("test_send", "test-by-hand") == "success"
    api.unpause(DAG)
    api.start(DAG, "by-hand", {})
    until("the end of the run", lambda: api.run_state(DAG, "by-hand") in ENDED)
    assert api.run_state(DAG, "by-hand") == "success"
    listed = [line.split(maxsplit=5) for line in bongsu(home, "runs", "welcome").splitlines()]
    assert [(number, state, words) for _, number, _, _, state, words in listed] == [
        ("2", "finished", "recipients 10"),
        ("1", "finished", "test · recipients 2"),
    ]


def test_the_example_never_comes_back(home: Home, api: Airflow) -> None:
    bongsu(home, "state", "welcome", "archived")
    assert "example" not in bongsu(home, "up")
    assert bongsu(home, "campaign", "list").startswith("acme/welcome                     archived  version 1 ")

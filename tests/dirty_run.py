"""One uncleaned customer file, sent once by ``./bongsu run`` through a real Airflow; many tests look at it."""

import csv
import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

from include.audience.phones import normalise
from include.queries import ROOT
from sandbox.customers import Truth, generate
from tests.airflow_runs import LONGEST_RUN, RunningAirflow, Started

SLUG = "spring-sale"
ROWS, CHUNK, TESTERS = 5_000, 500, 3
TEXT = "(광고) [ACME] {{name|고객}}님, 봄맞이 20% 할인! 3월 말까지 전 매장 무료수신거부 080-123-4567"


@dataclass(frozen=True)
class DirtyRun:
    """The run, what was true of its file, what the command said of it, and every number in the file."""

    airflow: RunningAirflow
    run: Started
    truth: Truth
    process: subprocess.CompletedProcess[str]
    report: dict[str, Any]
    numbers: list[str]


def send_dirty_file(airflow: RunningAirflow) -> DirtyRun:
    """Make the file and run it."""
    file = airflow.folder / "customers.csv"
    truth = generate(file, ROWS, seed=7)
    with file.open(encoding="utf-8-sig", newline="") as rows:
        found = [normalise(row["휴대폰"])[0] for row in csv.DictReader(rows)]
    testers = airflow.folder / "own-people.csv"
    generate(testers, TESTERS, seed=8, dirt=False)
    definition = airflow.define(
        SLUG,
        file,
        title="봄맞이 할인",
        audience={
            "file": str(file),
            "test_file": str(testers),
            "columns": {"phone": "휴대폰", "name": "이름", "consent": "수신동의"},
        },
        message={
            "channel": "sms",
            "sender": "0212345678",
            "text": TEXT,
            "subject": "봄맞이 20% 할인",
            "allow_lms": True,
        },
        chunk_size=CHUNK,
    )
    report = airflow.folder / "report.json"
    # what a user types, set-up included
    process = subprocess.run(
        [ROOT / "bongsu", "run", definition, "--report", report],
        env={
            **os.environ,
            "BONGSU_HOME": str(airflow.databases.home),
            "BONGSU_CUSTOMER_FILES": airflow.environment["BONGSU_CUSTOMER_FILES"],
        },
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
    )
    assert report.is_file(), process.stdout + process.stderr
    content = json.loads(report.read_text(encoding="utf-8"))
    dag_run = airflow.value("SELECT dag_run_id FROM runs WHERE run_id = %s", content["run_id"])
    run = Started(airflow, f"campaign__acme__{SLUG}", dag_run)
    return DirtyRun(airflow, run, truth, process, content, sorted({number for number in found if number}))

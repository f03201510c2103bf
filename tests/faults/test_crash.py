"""kill -9 at every boundary of the protocol, then the run is finished from outside: clean books and a clean audit."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from include.crashpoints import CrashPoint
from include.reporting.audit import audit
from include.settings import ROOT
from tests.faults.crash_child import order, through
from tests.support import Campaign, Databases, make_campaign, numbers, write_csv

pytestmark = pytest.mark.services


class Left(NamedTuple):
    """What a crash leaves, as everybody else sees it."""

    recipients: int
    claimed: int
    marked: int
    rows: int
    accepted: int
    settled: int
    certificates: int


# 250 people in chunks of 100, 100 and 50; the chunks' points crash at the second chunk
LEAVES = {
    "after_freeze": Left(250, 0, 0, 0, 0, 0, 0),
    "after_claim:2": Left(250, 200, 100, 100, 100, 0, 0),
    "inside_line_transaction:2": Left(250, 200, 100, 100, 100, 0, 0),
    "after_line_commit:2": Left(250, 200, 200, 200, 100, 0, 0),
    "before_store_commit:2": Left(250, 200, 200, 200, 100, 0, 0),
    "after_store_commit:2": Left(250, 200, 200, 200, 200, 0, 0),
    "between_receipts:2": Left(250, 250, 250, 250, 250, 100, 0),
    "after_receipts:2": Left(250, 250, 250, 250, 250, 200, 0),
    "before_books": Left(250, 250, 250, 250, 250, 250, 0),
    "after_books": Left(250, 250, 250, 250, 250, 250, 1),
}


def left(campaign: Campaign) -> Left:
    def count(what: str, table: str) -> int:
        return int(campaign.value(f"SELECT {what} FROM {table} WHERE run_id = %s", campaign.run.run_id) or 0)

    with campaign.line.cursor() as cursor:
        cursor.execute("SELECT sum(row_count) FROM BONGSU_HANDOVER WHERE run_id = %s", (campaign.run.run_id,))
        marked = int(cursor.fetchone()[0] or 0)
    campaign.line.rollback()
    return Left(
        recipients=count("count(*)", "recipients"),
        claimed=count("count(*)", "messages"),
        marked=marked,
        rows=len(campaign.line_rows()),
        accepted=count("count(accepted_at)", "message_states"),
        settled=count("count(finished_at)", "messages"),
        certificates=count("count(*)", "certificates"),
    )


def test_every_point_is_crashed() -> None:
    """Those of the guard, where there is nothing yet to finish, by tests/store/test_guarding.py."""
    of_the_guard = ["after_begin", "after_decision"]
    assert [*of_the_guard, *(armed.partition(":")[0] for armed in LEAVES)] == list(CrashPoint)


@pytest.mark.usefixtures("quiet_agents")
@pytest.mark.parametrize("armed", LEAVES)
def test_a_crash_then_the_rest_from_outside(databases: Databases, acme_folder: Path, armed: str) -> None:
    file = acme_folder / "people.csv"
    write_csv(file, ("phone", "name"), [(number, "김철수") for number in numbers(250)])
    campaign = make_campaign(databases, file)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.crash_child"],
            cwd=ROOT,
            env={**os.environ, "BONGSU_CRASH": armed},
            input=order(campaign),
            capture_output=True,
            text=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert left(campaign) == LEAVES[armed]
        through(campaign)
        assert left(campaign) == LEAVES["after_books"]
        assert sorted(campaign.line_rows()) == numbers(250)
        recounted = audit(campaign.store, campaign.line, campaign.ring, campaign.run)
        assert recounted.clean
        assert recounted.disagreements == ()
        assert recounted.delivered == 250
    finally:
        campaign.close()

"""Cancels a run: takes back what has not left, settles what has, closes the books.

Every chunk is gone through under its lock, exactly as a dispatch does it: a chunk that its line has taken is accepted,
any other is cancelled and will not leave. It may be killed and repeated at any moment, and run beside the run's own
tasks.
"""

import time
from contextlib import suppress
from dataclasses import dataclass

import MySQLdb
import psycopg

from include.campaigns import runs
from include.campaigns.runs import Run
from include.delivery.chunks import plan_chunks
from include.delivery.dispatch import dispatch_chunk
from include.delivery.receipts import collect
from include.errors import Refused
from include.privacy.cipher import KeyRing
from include.queries import query
from include.reporting.books import Totals, close

LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Cancelled:
    """What a cancelled run has come to.

    :param totals: its books.
    :param waiting: messages that have left and have no result yet; cancelling again settles them.
    """

    totals: Totals
    waiting: int


def cancel(
    store: psycopg.Connection,
    line: MySQLdb.Connection,
    ring: KeyRing,
    run_id: int,
    reason: str,
    *,
    wait_seconds: float = 0.0,
) -> Cancelled:
    """Cancel run ``run_id``. Repeating it goes on where an earlier call ended.

    :param store: the store, as the run's tenant.
    :param line: a connection of its own to the line's server.
    :param wait_seconds: how long the results of what has left are waited for.
    :raises Refused: the run was refused or is finished, so there is nothing to cancel.
    """
    store.execute(query("runs/cancel"), {"run": run_id, "reason": reason})
    store.commit()
    run = runs.load(store, run_id)
    if run.state not in runs.CANCELLED:
        raise Refused(f"Run {run_id} is {run.state}. There is nothing to cancel.")
    run = _take_back(store, line, ring, run)
    waiting = _settle(store, line, run, wait_seconds)
    totals = close(store, run)
    finish(store, run, totals)
    return Cancelled(totals, waiting)


def finish(store: psycopg.Connection, run: Run, totals: Totals) -> None:
    """A cancelled run is over when nothing of it waits for a result."""
    if totals.waiting == 0:
        store.execute(query("runs/cancelled"), {"run": run.run_id})
        store.commit()


def _take_back(store: psycopg.Connection, line: MySQLdb.Connection, ring: KeyRing, run: Run) -> Run:
    """Go through all chunks; a run without a frozen audience forgets whom it was for. The run as it is then."""
    if run.frozen_at is None:
        # a freeze that is at work ends first: then the run is frozen, and nothing is forgotten
        with suppress(psycopg.errors.RaiseException), store.transaction():
            store.execute("SELECT bongsu.forget_targets(%s)", [run.run_id])
        run = runs.load(store, run.run_id)
        if run.frozen_at is None:
            return run
    for number in plan_chunks(store, run):
        dispatch_chunk(store, line, run, ring, number)
    return run


def _settle(store: psycopg.Connection, line: MySQLdb.Connection, run: Run, wait_seconds: float) -> int:
    """Collect the results of what has left; how many are missing when the time is up."""
    limit = time.monotonic() + wait_seconds
    while (found := collect(store, line, run)).outstanding and time.monotonic() < limit:
        time.sleep(LOOK_SECONDS)
    return found.outstanding

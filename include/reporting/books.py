"""Closes a run's books: fills the report tables, checks the equations, stores the certificate.

::

    rows read  = rejected + duplicates + excluded + recipients
    recipients = withdrawn + cancelled + claimed
    claimed    = accepted + refused by the line + unknown
    accepted   = delivered + failed + expired + waiting
    accepted   = rows that the line's own tables hold, each message once
"""

import json
from dataclasses import asdict, dataclass

import psycopg
from psycopg.rows import class_row

from include.campaigns.runs import Run
from include.crashpoints import CrashPoint, reach
from include.errors import HandOverError
from include.queries import query


@dataclass(frozen=True)
class Totals:
    """A row of ``report_runs``: what became of every target. Rates in percent, ``None`` where nothing was sent."""

    rows_read: int
    rejected: int
    duplicates: int
    excluded: int
    recipients: int
    withdrawn: int
    cancelled: int
    claimed: int
    accepted: int
    refused_by_line: int
    unknown: int
    delivered: int
    failed: int
    expired: int
    waiting: int
    line_rows: int
    stray: int
    twice: int

    def equations(self) -> dict[str, tuple[int, int]]:
        """Both sides of every equation, by its name."""
        return {
            "rows read = rejected + duplicates + excluded + recipients": (
                self.rows_read,
                self.rejected + self.duplicates + self.excluded + self.recipients,
            ),
            "recipients = withdrawn + cancelled + claimed": (
                self.recipients,
                self.withdrawn + self.cancelled + self.claimed,
            ),
            "claimed = accepted + refused by the line + unknown": (
                self.claimed,
                self.accepted + self.refused_by_line + self.unknown,
            ),
            "accepted = delivered + failed + expired + waiting": (
                self.accepted,
                self.delivered + self.failed + self.expired + self.waiting,
            ),
            "accepted = rows on the line": (self.accepted, self.line_rows),
            "handed over twice = 0": (self.twice, 0),
        }


class OpenBooks(HandOverError):
    """The books of a run do not close; carries the equations that do not hold."""

    def __init__(self, run_id: int, wrong: dict[str, tuple[int, int]]) -> None:
        self.wrong = wrong
        shown = "; ".join(f"{name}: {left:,} against {right:,}" for name, (left, right) in wrong.items())
        super().__init__(
            f"The books of run {run_id} do not close. {shown}. Nothing is sent by looking: "
            f"`bongsu audit {run_id}` compares the run with the line's own tables, row by row."
        )


def close(store: psycopg.Connection, run: Run) -> Totals:
    """Count the run, fill its report tables and store its certificate. Repeating it counts again.

    :raises OpenBooks: after the certificate was stored as not closed.
    """
    values = {**run.place, "run_at": run.run_at}
    with store.transaction():
        # for the planner the run is still small: it would go from index to table for each message and then sort them
        store.execute("SET LOCAL enable_sort = off; SET LOCAL enable_indexscan = off")
        store.execute(query("reporting/tally"), values)
        store.execute("SET LOCAL enable_sort = on; SET LOCAL enable_indexscan = on")
        for part in ("chunks", "lines", "codes", "hours", "runs"):
            store.execute(query(f"reporting/{part}"), values)
        with store.cursor(row_factory=class_row(Totals)) as cursor:
            totals = cursor.execute(query("reporting/totals"), values).fetchone()
        assert totals is not None
        equations = totals.equations()
        wrong = {name: sides for name, sides in equations.items() if sides[0] != sides[1]}
        body = {
            "totals": asdict(totals),
            "equations": {name: list(sides) for name, sides in equations.items()},
        }
        store.execute(query("reporting/certify"), {**values, "closed": not wrong, "body": json.dumps(body)})
        # what was staged has done its work; the frozen audience stays
        store.execute("SELECT bongsu.drop_staging(%(run)s)", values)
        reach(CrashPoint.before_books)
    reach(CrashPoint.after_books)
    if wrong:
        raise OpenBooks(run.run_id, wrong)
    return totals

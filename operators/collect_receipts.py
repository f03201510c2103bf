"""Stage 6, deferrable: results from the line's tables, without a worker slot while waiting."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import Context

from include.settings import settings
from operators.stage import StageOperator

if TYPE_CHECKING:
    from MySQLdb.connections import Connection

    from include.campaigns.runs import Run
    from include.delivery.receipts import Collected

STALLED_SECONDS = 60.0
"""Pause when the line has nothing more to say although messages are open: rows may still be on their way."""
SHORT_WAIT = (0.1, 0.2, 0.3, 0.4)
"""Pauses before the wait goes to the triggerer, which takes Airflow two to three seconds: the last results are often
there sooner."""


class CollectReceiptsOperator(StageOperator):
    """Settles messages until every chunk is final or the receipt window closes; what is open then is expired.

    Returns ``{"settled": n, "expired": n}`` of the last look. It also runs when a chunk was not handed over for good:
    the others have their receipts all the same.
    """

    closes = True

    def work(self, context: Context) -> dict[str, int]:
        from include.campaigns import runs
        from include.delivery.receipts import collect, expire, window_closes

        with self.opened_run() as (store, run), runs.stage(store, run, "collect_receipts", shared=True) as stage:
            with self.opened_line() as line:
                found = collect(store, line, run)
                if found.waiting and self._soon(line, run, found):
                    found = replace(again := collect(store, line, run), settled=found.settled + again.settled)
            closes = window_closes(store, run)
            closed = datetime.now(UTC) >= closes
            self.log.info(
                "%s messages settled, %s open, %s rows wait at the agents.",
                *(f"{number:,}" for number in (found.settled, found.outstanding, found.waiting)),
            )
            expired = 0
            if closed:
                expired = expire(store, run)
            if expired:
                self.log.warning("The receipt window closed at %s: %s messages are expired.", closes, f"{expired:,}")
            stage.counts = {"settled": found.settled, "expired": expired}
            stage.worked = bool(found.settled or expired)
        if not closed and found.outstanding:
            self._wait(run, found, closes)
        return stage.counts

    def _soon(self, line: "Connection", run: "Run", found: "Collected") -> bool:
        """Whether the agents have a result for every row within a second."""
        from include.delivery.receipts import rows_waiting

        for pause in SHORT_WAIT:
            time.sleep(pause)
            if not rows_waiting(line, found.tables, run.run_id, hop=0):
                return True
        return False

    def _wait(self, run: "Run", found: "Collected", closes: datetime) -> None:
        from operators.receipt_trigger import ReceiptTrigger

        left = max(closes - datetime.now(UTC), timedelta(seconds=1))
        poll = settings().poll_seconds
        self.defer(
            trigger=ReceiptTrigger(
                line_url=self.line_hook.get_url(),
                run_id=run.run_id,
                tables=found.tables,
                waiting=found.waiting,
                poll_seconds=poll if found.waiting else max(poll, STALLED_SECONDS),
                closes_at=closes.isoformat(),
            ),
            method_name="execute",
            timeout=left + timedelta(minutes=10),
        )

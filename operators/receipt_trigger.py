"""Waits, in the triggerer, until the line's agents have results for a run."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.delivery.line_connection import connect_line
from include.delivery.receipts import rows_waiting
from include.taxonomy import Kind, classify

FIRST_PAUSE = 0.2
"""Seconds before the first look; every pause after it is twice as long, up to ``poll_seconds``."""
LONGEST_WAIT = 60.0
"""Seconds after which results that are there are collected even while others are missing."""


class ReceiptTrigger(BaseTrigger):
    """Looks at the queue tables and fires when a look at the results is worth a worker's time.

    That is: nothing of the run waits at the agents any more; or some results came and a minute has gone by; or the
    receipt window has closed. It only counts rows, so running it twice does no harm. A line that is away is said in the
    log and asked again.

    :param line_url: resolved in the worker; Airflow encrypts the arguments of a trigger.
    :param tables: the queue tables with rows that wait.
    :param waiting: rows without a result when the wait began; when there were none, the line has nothing more to say
        for now and is asked every ``poll_seconds`` from the beginning.
    :param closes_at: end of the receipt window, ISO 8601.
    """

    def __init__(
        self, line_url: str, run_id: int, tables: list[str], waiting: int, poll_seconds: float, closes_at: str
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in Airflow
        self.line_url, self.run_id, self.tables = line_url, run_id, tables
        self.waiting, self.poll_seconds, self.closes_at = waiting, poll_seconds, closes_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The trigger as Airflow stores it."""
        return (
            "operators.receipt_trigger.ReceiptTrigger",
            {
                "line_url": self.line_url,
                "run_id": self.run_id,
                "tables": self.tables,
                "waiting": self.waiting,
                "poll_seconds": self.poll_seconds,
                "closes_at": self.closes_at,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until it is worth a look."""
        closes = datetime.fromisoformat(self.closes_at)
        waited = 0.0
        pause = min(FIRST_PAUSE, self.poll_seconds) if self.waiting else self.poll_seconds
        while True:
            await asyncio.sleep(pause)
            waited += pause
            pause = min(2 * pause, self.poll_seconds)
            if datetime.now(UTC) >= closes:
                break
            try:
                waiting = await asyncio.to_thread(self._rows_waiting)
            except Exception as error:
                verdict = classify(error)
                self.log.warning("%s", verdict.while_waiting(pause))
                if verdict.kind is Kind.permanent:
                    break  # the worker meets the same error and says in the task's log what it means
                continue
            if waiting == 0 or (waiting < self.waiting and waited >= LONGEST_WAIT):
                break
        yield TriggerEvent({"run_id": self.run_id})  # type: ignore[no-untyped-call]  # untyped in Airflow

    def _rows_waiting(self) -> int:
        """Rows without a result."""
        line = connect_line(self.line_url, read_timeout=30)
        try:
            return rows_waiting(line, self.tables, self.run_id, hop=0)
        finally:
            line.close()

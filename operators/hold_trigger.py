"""Waits, in the triggerer, until nothing holds a run back any more."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from include.campaigns.guard import Hold

LOOK_SECONDS = 10.0
"""Pause between two looks, give or take a fifth: the chunks of a run do not all ask in the same moment. A chunk goes on
so long after a person has let it.
"""
SHARED_SECONDS = 5.0
"""For so long an answer is that of every chunk of its run: a thousand of them ask the store as often as two."""


Question = tuple[str, int, int]
_answers: dict[Question, tuple[float, "asyncio.Task[Hold | None]"]] = {}
"""When each run was last asked about, and what came of it."""


class HoldTrigger(BaseTrigger):
    """Fires when a chunk of a run may leave, or when the run was cancelled, so that the chunk says so.

    It only asks, so running it twice does no harm. A store that is away is said in the log and asked again.

    :param store_url: resolved in the worker; Airflow encrypts the arguments of a trigger.
    """

    def __init__(self, store_url: str, tenant_id: int, run_id: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in Airflow
        self.store_url, self.tenant_id, self.run_id = store_url, tenant_id, run_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The trigger as Airflow stores it."""
        return (
            "operators.hold_trigger.HoldTrigger",
            {"store_url": self.store_url, "tenant_id": self.tenant_id, "run_id": self.run_id},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until nothing holds the run."""
        from include.taxonomy import Kind, classify

        while True:
            pause = LOOK_SECONDS * random.uniform(0.8, 1.2)
            try:
                hold = await self._answer()
            except Exception as error:
                verdict = classify(error)
                self.log.warning("%s", verdict.while_waiting(pause))
                if verdict.kind is Kind.permanent:
                    break  # the worker meets the same error and says in the task's log what it means
            else:
                if hold is None or hold.for_good:
                    break
                if hold.until is not None:
                    # a person may lift it sooner, or cancel the run
                    pause = min(pause, max((hold.until - datetime.now(UTC)).total_seconds(), 1.0))
            await asyncio.sleep(pause)
        _answers.pop(self._question, None)
        yield TriggerEvent({"run_id": self.run_id})  # type: ignore[no-untyped-call]  # untyped in Airflow

    @property
    def _question(self) -> "Question":
        return self.store_url, self.tenant_id, self.run_id

    async def _answer(self) -> "Hold | None":
        """What the store says, or has just said to another chunk of the run."""
        now = asyncio.get_running_loop().time()
        asked = _answers.get(self._question)
        if asked is None or now - asked[0] > SHARED_SECONDS:
            asked = _answers[self._question] = now, asyncio.create_task(asyncio.to_thread(self._hold))
        # a chunk whose wait is ended does not end that of the others
        return await asyncio.shield(asked[1])

    def _hold(self) -> "Hold | None":
        from include.campaigns.guarding import ask_for_hold
        from include.store import connect

        with connect(self.store_url, self.tenant_id, application_name="bongsu hold") as store:
            return ask_for_hold(store, self.run_id)

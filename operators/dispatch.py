"""Stage 5, mapped: one chunk handed over to its line."""

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import Context

from operators.stage import StageOperator

if TYPE_CHECKING:
    from include.campaigns.guard import Hold

LONGEST_HOLD = timedelta(days=30)
"""A deferred task needs a time-out; what is held for longer fails, and goes on when it is cleared."""


class DispatchChunkOperator(StageOperator):
    """Hands a chunk over exactly once, however often the task is tried, cleared or killed.

    :param chunk_no: number of the chunk; mapped.
    :param lines: the lines that the chunks go round, for the pool of each mapped task (:mod:`operators.line_pools`).

    While something holds the run back (the night, the kill switch, a paused campaign) it waits without a worker, and
    then asks again. Returns ``{"accepted": n, "withdrawn": n, "cancelled": n, "unknown": n}``.
    """

    template_fields = ("tenant_id", "run_id", "chunk_no")
    closes = True

    def __init__(self, *, chunk_no: Any, lines: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chunk_no = chunk_no
        self.lines = lines

    def work(self, context: Context) -> dict[str, int]:
        from include.campaigns import runs
        from include.delivery.chunks import load_chunk
        from include.delivery.dispatch import OnHold, dispatch_chunk

        hold = None
        with self.opened_run() as (store, run):
            chunk = load_chunk(store, run, int(self.chunk_no))
            label = f"test · {chunk.label}" if run.test_send else chunk.label
            context["chunk_label"] = label  # type: ignore[typeddict-unknown-key]  # Airflow's way to name a mapped task
            with (
                runs.stage(store, run, "dispatch", shared=True) as stage,
                closing(self.line_hook.get_hand_over_conn()) as line,
            ):
                stage.worked = False
                try:
                    done = dispatch_chunk(store, line, run, self.open_ring(store), chunk.chunk_no)
                except OnHold as held:
                    hold = held.hold
                else:
                    stage.worked = not done.already
                    stage.counts = {
                        "accepted": done.accepted,
                        "withdrawn": done.withdrawn,
                        "cancelled": done.cancelled,
                        "unknown": done.unknown,
                    }
        if hold is not None:
            self._wait(hold)
        self.log.info(
            "%s: %s messages %s, %s withdrawn, %s cancelled.",
            label,
            f"{done.accepted:,}",
            "were handed over before; nothing sent" if done.already else "handed over",
            f"{done.withdrawn:,}",
            f"{done.cancelled:,}",
        )
        if done.unknown:
            self.log.warning(
                "Of %s messages nobody can tell whether they have gone out, since store or line was restored from a "
                "backup. They are never written to again by this run.",
                f"{done.unknown:,}",
            )
        return stage.counts

    def _wait(self, hold: "Hold") -> NoReturn:
        from operators.hold_trigger import HoldTrigger

        self.log.warning("Nothing of this chunk leaves just now. %s It waits, and goes on by itself.", hold.sentence)
        self.defer(
            trigger=HoldTrigger(
                store_url=self.store_hook.get_url(), tenant_id=int(self.tenant_id), run_id=int(self.run_id)
            ),
            method_name="execute",
            timeout=LONGEST_HOLD,
        )

"""Stage 5, mapped: one chunk handed over to its line."""

from typing import Any

from airflow.sdk import Context

from operators.stage import StageOperator


class DispatchChunkOperator(StageOperator):
    """Hands a chunk over exactly once, however often the task is tried, cleared or killed.

    :param chunk_no: number of the chunk; mapped.
    :param lines: the lines that the chunks go round, for the pool of each mapped task (:mod:`operators.line_pools`).
    :param test_line: the line of test sends.

    Returns ``{"accepted": n, "withdrawn": n}``.
    """

    template_fields = ("run_id", "chunk_no")

    def __init__(self, *, chunk_no: Any, lines: list[int], test_line: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chunk_no = chunk_no
        self.lines = lines
        self.test_line = test_line

    def work(self, context: Context) -> dict[str, int]:
        from include.campaigns import runs
        from include.delivery.chunks import load_chunk
        from include.delivery.dispatch import dispatch_chunk

        with self.opened_run() as (store, run):
            chunk = load_chunk(store, run, int(self.chunk_no))
            context["chunk_label"] = chunk.label  # type: ignore[typeddict-unknown-key]  # Airflow's way to name a mapped task
            with runs.stage(store, run, "dispatch", shared=True) as stage, self.opened_line() as line:
                done = dispatch_chunk(store, line, run, self.open_ring(store), chunk.chunk_no)
                stage.worked = not done.already
                stage.counts = {"accepted": done.accepted, "withdrawn": done.withdrawn}
            self.log.info(
                "%s: %s messages %s, %s withdrawn.",
                chunk.label,
                f"{done.accepted:,}",
                "were handed over before; nothing sent" if done.already else "handed over",
                f"{done.withdrawn:,}",
            )
            return stage.counts

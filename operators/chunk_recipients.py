"""Stage 4: the recipients cut into chunks, dealt to the lines."""

from airflow.sdk import Context

from operators.stage import StageOperator


class ChunkRecipientsOperator(StageOperator):
    """Plans the chunks once and returns their numbers, over which the dispatch is mapped. There is at least one."""

    closes = True

    def work(self, context: Context) -> list[int]:
        from include.campaigns import runs
        from include.delivery.chunks import plan_chunks

        with self.opened_run() as (store, run), runs.stage(store, run, "chunk_recipients") as stage:
            numbers = plan_chunks(store, run)
            stage.counts = {"chunks": len(numbers)}
            runs.set_state(store, run.run_id, "sending")
            self.log.info("%s chunks over lines %s.", f"{len(numbers):,}", ", ".join(map(str, run.lines)))
            return numbers

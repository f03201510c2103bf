"""Stage 7: the report tables, the books and the certificate."""

from dataclasses import asdict

from airflow.sdk import Context

from include.errors import HandOverError
from operators.stage import StageOperator


class AggregateResultsOperator(StageOperator):
    """Counts the run, checks that its books close and stores the certificate. Emits the campaign's report asset.

    Returns the run's totals. Books that do not close fail the task, loudly and without a retry.
    """

    def work(self, context: Context) -> dict[str, int]:
        from include.campaigns import runs
        from include.reporting.books import close
        from include.reporting.report import load_report, render_report

        with self.opened_run() as (store, run):
            try:
                with runs.stage(store, run, "aggregate_results") as stage:
                    totals = close(store, run)
                    stage.worked = run.state != "finished"
            except HandOverError:
                runs.set_state(store, run.run_id, "failed")
                raise
            runs.set_state(store, run.run_id, "finished")
            for line in render_report(load_report(store, run.run_id)):
                self.log.info("%s", line)
            return asdict(totals)

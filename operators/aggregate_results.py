"""Stage 7: the report tables, the books and the certificate."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, Context

from include.errors import HandOverError, RunOver
from operators.stage import StageOperator

if TYPE_CHECKING:
    from include.campaigns.runs import Run
    from include.reporting.books import Totals

TEST_REPORTS = AssetAlias("bongsu test reports")
"""Outlet of the DAG of test sends, whose runs are of any campaign: an event of ``bongsu://test-report/<tenant>/<slug>``."""


def report_asset(tenant: str, slug: str) -> Asset:
    """The campaign's report: every run that was sent makes a new event of it."""
    return Asset(f"bongsu://report/{tenant}/{slug}")


class AggregateResultsOperator(StageOperator):
    """Counts the run, checks that its books close and stores the certificate.

    Its outlets get an event with ``{"run_id": n, "test": bool, "totals": {…}}``. Returns the run's totals. Books that
    do not close fail the task, loudly and without a retry; so does a run that was cancelled or wrote to nobody, after
    its books are closed: nobody is told that something was sent. Nor is anybody told while results are missing.
    """

    closes = True

    def work(self, context: Context) -> dict[str, int]:
        from include.campaigns import runs
        from include.pipeline.cancel import finish
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
            runs.set_state(store, run.run_id, "failed" if totals.waiting else "finished")
            finish(store, run, totals)
            # a person may have cancelled it meanwhile
            run = runs.load(store, run.run_id)
            for line in render_report(load_report(store, run.run_id)):
                self.log.info("%s", line)
        _end_without_success(run, totals)
        self._tell(context, run, asdict(totals))
        return asdict(totals)

    def _tell(self, context: Context, run: "Run", totals: dict[str, int]) -> None:
        """Give what waits for the run the run's number and totals."""
        extra: dict[str, Any] = {"run_id": run.run_id, "test": run.test_send, "totals": totals}
        for outlet in self.outlets:
            if isinstance(outlet, AssetAlias):
                asset = Asset(f"bongsu://test-report/{run.spec.tenant}/{run.spec.slug}")
                context["outlet_events"][outlet].add(asset, extra=extra)
            else:
                context["outlet_events"][outlet].extra = extra


def _end_without_success(run: "Run", totals: "Totals") -> None:
    from include.campaigns.runs import CANCELLED

    if run.state in CANCELLED:
        raise RunOver(
            f"Run {run.run_id} was cancelled: {run.refusal}. {totals.accepted:,} messages had left, "
            f"{totals.cancelled:,} were taken back; its books are closed."
        )
    if totals.waiting:
        raise RunOver(
            f"{totals.waiting:,} of the {totals.accepted:,} messages that have left have no result yet. Clear "
            "collect_receipts, and what follows it: it collects them."
        )
    if totals.unknown:
        raise RunOver(
            f"Of {totals.unknown:,} messages nobody can tell whether they have gone out, since store or line was "
            f"restored from a backup; {totals.accepted:,} were handed over. The books of run {run.run_id} are closed."
        )
    if totals.accepted == 0:
        raise RunOver(
            f"Nothing was sent: nobody was left to write to. Of {totals.rows_read:,} rows {totals.rejected:,} were "
            f"rejected, {totals.duplicates:,} were duplicates, {totals.excluded + totals.withdrawn:,} were left out; "
            f"the books of run {run.run_id} are closed."
        )

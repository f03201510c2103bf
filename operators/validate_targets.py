"""Stage 2: the gate over the staged rows; a file that does not satisfy it stops the run before anything is sent."""

from airflow.sdk import Context

from include.errors import Refused
from include.settings import settings
from operators.stage import StageOperator


class ValidateTargetsOperator(StageOperator):
    """Checks the staged rows against ``audience.gate`` and keeps the page of the result with the run.

    Returns ``{"valid": n, "rejected": n}``. A failed gate fails the run without a retry. When the audience is frozen
    already, the gate was passed and is not asked again.
    """

    def work(self, context: Context) -> dict[str, int]:
        from include.audience.gate import rejections, run_gate
        from include.campaigns import runs

        with self.opened_run() as (store, run), runs.stage(store, run, "validate_targets") as stage:
            if run.frozen_at is not None:
                stage.worked = False
                self.log.info("The audience was frozen at %s; the gate was passed.", run.frozen_at)
                return {}
            url = self.store_hook.get_url()
            for reason, rows in rejections(url, run).items():
                self.log.info("Rejected for %s: %s rows", reason, f"{rows:,}")
            result = run_gate(url, run, settings().home / "data-docs" / str(run.run_id))
            stage.counts = {"valid": result.valid, "rejected": result.rejected}
            for check in result.checks:
                word = "passed" if check.passed else "FAILED"
                self.log.info("%s · %s: %s (asked: %s)", word, check.subject, check.observed, check.limit)
            self.log.info("The gate's page: %s", result.docs)
            if not result.passed:
                raise Refused(result.refusal(run.spec.slug))
            return stage.counts

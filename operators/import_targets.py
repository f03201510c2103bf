"""Stage 1: the customer file into the run's staging table."""

from dataclasses import asdict

from airflow.sdk import Context

from operators.stage import StageOperator

SAY_EVERY = 100_000


class ImportTargetsOperator(StageOperator):
    """Reads the file, normalises and checks every row, and stages it encrypted.

    Returns ``{"rows_read": n, "rejected": n}``. A file that cannot be read fails the run without a retry, names the
    row, and leaves nothing staged. When the audience is frozen already, nothing is read again.
    """

    _said = 0

    def work(self, context: Context) -> dict[str, int]:
        from include.audience.staging import import_targets
        from include.campaigns import runs

        with self.opened_run() as (store, run), runs.stage(store, run, "import_targets") as stage:
            if run.frozen_at is not None:
                stage.worked = False
                self.log.info("The audience was frozen at %s; the file is not read again.", run.frozen_at)
                return {"rows_read": run.rows_read or 0}
            self.log.info("Reading %s", run.audience_file)
            counts = import_targets(store, run, self.open_ring(store), self._progress)
            stage.counts = asdict(counts)
            self.log.info("Staged %s rows, of which %s are rejected.", f"{counts.rows_read:,}", f"{counts.rejected:,}")
            return stage.counts

    def _progress(self, rows: int) -> None:
        if rows >= self._said + SAY_EVERY:
            self._said = rows
            self.log.info("%s rows read", f"{rows:,}")

"""Stage 3: one recipient a number, refusals and missing consent left out, and the audience frozen."""

from airflow.sdk import Context

from operators.stage import StageOperator


class DedupeTargetsOperator(StageOperator):
    """Decides over every staged row and freezes the audience, in one transaction.

    Returns ``{"recipients": n, "duplicates": n, "excluded": n, "rejected": n}``.
    """

    def work(self, context: Context) -> dict[str, int]:
        from include.audience.freeze import freeze
        from include.campaigns import runs

        with self.opened_run() as (store, run), runs.stage(store, run, "dedupe_targets") as stage:
            found = freeze(store, run)
            stage.worked = not found.already
            stage.counts = {
                "recipients": found.recipients,
                "duplicates": found.duplicates,
                "excluded": found.excluded,
                "rejected": found.rejected,
            }
            self.log.info(
                "%s %s recipients; left out: %s duplicates, %s excluded, %s rejected.",
                "Frozen before:" if found.already else "Frozen:",
                *(f"{stage.counts[name]:,}" for name in ("recipients", "duplicates", "excluded", "rejected")),
            )
            return stage.counts

"""Dedupes, excludes and freezes a run's audience, in one transaction.

Afterwards every target of the run is either a numbered recipient or an exclusion with its one reason, and nobody is
added any more. Order of the reasons: rejected, duplicate, suppressed, opted out, no consent.
"""

from dataclasses import dataclass

import psycopg

from include.audience.staged import staged_query
from include.campaigns.runs import Run
from include.crashpoints import CrashPoint, reach
from include.errors import HandOverError, RunOver
from include.queries import query


@dataclass(frozen=True)
class FreezeCounts:
    """How the targets of a run were divided; ``already`` is true when it was done by an earlier try."""

    recipients: int
    rejected: int
    duplicates: int
    excluded: int
    already: bool


def freeze(store: psycopg.Connection, run: Run) -> FreezeCounts:
    """Write ``recipients`` and ``exclusions`` of ``run`` once; a repeated call counts what is there.

    :raises RunOver: the run was cancelled.
    :raises HandOverError: the staged rows are not the ones that were read; the import has to be repeated.
    """
    spec = run.spec
    values = {
        **run.place,
        "newest": spec.audience.keep == "last",
        "advertising": spec.purpose == "advertising",
        "recorded": spec.audience.consent == "recorded",
        "mapped": "consent" in spec.audience.columns,
        "channel": spec.message.channel,
    }
    number = run.run_id
    with store.transaction():
        state = store.execute(query("audience/freeze_lock"), values).fetchone()
        assert state is not None
        already, read, staged, cancelled = state
        if cancelled and not already:
            raise RunOver(f"Run {number} was cancelled.")
        if not already:
            if not staged:
                raise HandOverError(f"Nothing is staged for run {number}. Clear import_targets.")
            store.execute("SET LOCAL work_mem = '256MB'")
            store.execute(staged_query("audience/freeze_decide", number), values)
            store.execute("ANALYZE verdicts")
            store.execute(query("audience/freeze_exclude"), values)
            recipients = store.execute(staged_query("audience/freeze_recipients", number), values).rowcount
            store.execute(query("audience/freeze_seal"), {**values, "recipients": recipients})
        else:
            found = store.execute(query("audience/count_recipients"), values).fetchone()
            recipients = found[0] if found else 0
        row = store.execute(query("audience/freeze_counts"), values).fetchone()
        assert row is not None
        rejected, duplicates, excluded = row
        total = recipients + sum(row)
        if not already and total != read:
            raise HandOverError(f"Run {number} read {read:,} rows but {total:,} are staged. Clear import_targets.")
    reach(CrashPoint.after_freeze)
    return FreezeCounts(recipients, rejected, duplicates, excluded, already)

"""Brings a customer file into the run's staging table: one pass, one transaction, nothing half-imported.

Every row is read, normalised, checked against the message and sealed in the same pass, because the clear text must not
be stored and a second pass would open every row again. A large text file is worked on by several processes
(:mod:`include.audience.crew`); whatever they cannot read is read here, from the row on at which it begins.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from include.audience.blocks import UnreadableBlock
from include.audience.columns import resolve_columns
from include.audience.crew import BATCH, Crew
from include.audience.packing import Job, Packer
from include.audience.reader import open_table
from include.audience.staged import COPY_HEADER, COPY_TRAILER, staged_query
from include.audience.table import Table
from include.audience.text import TextTable
from include.campaigns.customer_files import SAME_FILE, own_file
from include.campaigns.runs import Run
from include.errors import Refused
from include.privacy.cipher import KeyRing

LARGE = 4 << 20
"""Bytes of a file from which on processes of their own are worth their start."""
MOST_TESTERS = 1_000
"""People of a test file: a larger one is a copy of the customers'."""
PROCESSES = min(3, len(os.sched_getaffinity(0)))
"""At most so many: PostgreSQL takes no more rows than three can make."""


@dataclass(frozen=True)
class ImportCounts:
    """What an import found: rows read, and how many of them were rejected."""

    rows_read: int
    rejected: int


def import_targets(
    store: psycopg.Connection,
    run: Run,
    ring: KeyRing,
    progress: Callable[[int], None] = lambda rows: None,
) -> ImportCounts:
    """Read the run's file into its staging table; a repeated import replaces the one before.

    :param progress: called now and then with the rows read so far.
    :raises MalformedFile: the file cannot be read; names the row. Nothing is stored.
    :raises Refused: the file is not in the tenant's folder, a column is missing, or the text cannot be sent to anybody.
        Nothing is stored.
    """
    with ExitStack() as opened:
        path = own_file(run.spec.tenant, run.audience_file)
        if run.test_send and path == own_file(run.spec.tenant, Path(run.spec.audience.file)):
            raise Refused(f"{path.name}: {SAME_FILE}. A test send never goes to the customers.")
        large = PROCESSES > 1 and path.is_file() and path.stat().st_size >= LARGE
        crew = opened.enter_context(Crew(PROCESSES, path)) if large else None
        return _import(store, run, path, ring, crew, progress)


def _import(
    store: psycopg.Connection,
    run: Run,
    path: Path,
    ring: KeyRing,
    crew: Crew | None,
    progress: Callable[[int], None],
) -> ImportCounts:
    audience, message = run.spec.audience, run.spec.message
    table = open_table(path, encoding=audience.encoding, delimiter=audience.delimiter, sheet=audience.sheet)
    job = Job(
        tenant_id=run.tenant_id,
        columns=resolve_columns(table.header, audience.columns),
        text=message.text,
        subject=message.subject,
        allow_lms=message.allow_lms,
        ring=ring,
        context=run.key,
        watched=() if run.test_send else tuple(audience.gate.max_null_share),
    )
    packer = Packer(job)
    done = 0
    with store.transaction():
        store.execute("SELECT bongsu.open_staging(%s)", [run.run_id])
        with store.cursor() as cursor, cursor.copy(staged_query("audience/stage_copy", run.run_id)) as copy:
            copy.write(COPY_HEADER)
            for rows, packed in _packed(table, job, packer, crew):
                copy.write(packed)
                done += rows
                if run.test_send and done > MOST_TESTERS:
                    raise Refused(
                        f"{path.name}: a test file has at most {MOST_TESTERS:,} people, and this one has more. A test "
                        "send never goes to the customers."
                    )
                progress(done)
            copy.write(COPY_TRAILER)
        values = {**run.place, "columns": packer.sealed, "rows": done}
        rejected = store.execute(staged_query("audience/stage_finish", run.run_id), values).fetchone()
    assert rejected is not None
    return ImportCounts(rows_read=done, rejected=int(rejected[0]))


def _packed(table: Table, job: Job, packer: Packer, crew: Crew | None) -> Iterator[tuple[int, bytes]]:
    """All rows of the file in order, batch by batch: how many, and their staging rows."""
    read = 0
    if crew is not None and isinstance(table, TextTable) and table.in_blocks:
        try:
            for block, rows, packed in crew.pack(table, job):
                yield rows, packed
                read = block.first_row + block.records - 1
            return
        except UnreadableBlock:  # read on below, which finds what is the matter
            pass
    for first_row, batch in table.batches(BATCH, after=read):
        yield len(batch), packer.pack(first_row, batch)

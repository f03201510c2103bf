"""Cuts a frozen audience into chunks of consecutive recipients, dealt round robin to the run's lines."""

from dataclasses import dataclass
from math import ceil

import psycopg
from psycopg.rows import class_row

from include.campaigns.runs import Run
from include.errors import HandOverError
from include.queries import query

FEWEST_CHUNKS = 24
"""A large audience is cut into so many chunks, or two a line: every task costs some tenths of a second, and the
last ones should not end late."""
CHUNK_SIZES = 10_000, 50_000
"""Smallest and largest chunk where the definition names none; a larger one would lock its line for long."""
MOST_CHUNKS = 1_000
"""Airflow maps a task at most 1,024 times; a larger audience gets larger chunks."""


@dataclass(frozen=True)
class Chunk:
    """Recipients ``first_no`` to ``last_no`` of a run on one hop, and the line they go to."""

    run_id: int
    hop: int
    chunk_no: int
    first_no: int
    last_no: int
    line_no: int
    table_name: str
    state: str
    accepted: int
    withdrawn: int
    cancelled: int

    @property
    def size(self) -> int:
        """How many recipients it holds."""
        return self.last_no - self.first_no + 1

    @property
    def key(self) -> dict[str, int]:
        """Its place in the store, as the queries of ``sql/queries/delivery`` name it."""
        return {
            "run": self.run_id,
            "hop": self.hop,
            "chunk": self.chunk_no,
            "first": self.first_no,
            "last": self.last_no,
        }

    @property
    def label(self) -> str:
        """Its name in Airflow: ``chunk 3 · SMSQ_SEND_2 · 10,000``."""
        return f"chunk {self.chunk_no} · {self.table_name} · {self.size:,}"


def chunk_size(recipients: int, lines: int, wanted: int | None) -> int:
    """Recipients a chunk: ``wanted``, else what the audience's size asks for; more where Airflow could not map it."""
    smallest, largest = CHUNK_SIZES
    if wanted is None:
        wanted = min(largest, max(smallest, ceil(recipients / max(FEWEST_CHUNKS, 2 * lines))))
    return max(wanted, ceil(recipients / MOST_CHUNKS))


def plan_chunks(store: psycopg.Connection, run: Run, hop: int = 0) -> list[int]:
    """Write the chunks of ``run`` once and return their numbers.

    :raises HandOverError: the audience is not frozen.
    """
    if run.frozen_at is None:
        raise HandOverError(f"Run {run.run_id} has no frozen audience. Clear dedupe_targets first.")
    with store.transaction():
        row = store.execute(query("audience/count_recipients"), run.place).fetchone()
        recipients = int(row[0]) if row else 0
        values = {
            **run.place,
            "hop": hop,
            "recipients": recipients,
            "size": chunk_size(recipients, len(run.lines), run.spec.delivery.chunk_size),
            "lines": run.lines,
        }
        store.execute(query("delivery/plan_chunks"), values)
        rows = store.execute(query("delivery/chunk_numbers"), values).fetchall()
    return [int(number) for (number,) in rows]


def open_chunks(store: psycopg.Connection, run: Run, hop: int = 0) -> list[Chunk]:
    """The chunks that their line has taken and whose results are not all in."""
    with store.transaction(), store.cursor(row_factory=class_row(Chunk)) as cursor:
        return cursor.execute(query("delivery/open_chunks"), {"run": run.run_id, "hop": hop}).fetchall()


def load_chunk(store: psycopg.Connection, run: Run, chunk_no: int, hop: int = 0) -> Chunk:
    """Read one chunk.

    :raises HandOverError: the run has no chunk of that number.
    """
    with store.transaction(), store.cursor(row_factory=class_row(Chunk)) as cursor:
        values = {"run": run.run_id, "hop": hop, "chunk": chunk_no}
        chunk = cursor.execute(query("delivery/chunk"), values).fetchone()
    if chunk is None:
        raise HandOverError(f"Run {run.run_id} has no chunk {chunk_no}. Clear chunk_recipients first.")
    return chunk

"""How a run is shown while it goes: a live table on a terminal, else a line when something changes."""

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

import psycopg

from include.cli.airflow_api import Task
from include.cli.output import say
from include.queries import query

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

STAGES = (
    "guard",
    "import_targets",
    "validate_targets",
    "dedupe_targets",
    "chunk_recipients",
    "dispatch",
    "collect_receipts",
    "aggregate_results",
)
WORDS = {
    "none": "waiting",
    "scheduled": "waiting",
    "queued": "queued",
    "deferred": "waiting for receipts",
    "up_for_retry": "will be tried again",
    "upstream_failed": "not reached",
    "success": "done",
}
# The furthest of several states is the one to show.
RANK = ("failed", "up_for_retry", "running", "deferred", "queued", "scheduled", "waiting", "none", "success")
LINE_SECONDS = 5.0


@dataclass
class Snapshot:
    """What is known of a run at one moment."""

    run_id: int | None = None
    state: str = "waiting"
    refusal: str | None = None
    stages: dict[str, tuple[float, dict[str, int]]] = field(default_factory=dict)
    chunks: int = 0
    handed_over: int = 0
    final: int = 0
    accepted: int = 0


def look(store: psycopg.Connection, dag_id: str, dag_run_id: str) -> Snapshot:
    """What the store knows of a DAG run."""
    with store.transaction():
        values = {"dag": dag_id, "run": dag_run_id}
        row = store.execute(query("runs/progress_run"), values).fetchone()
        if row is None:
            return Snapshot()
        seen = Snapshot(*row)
        for stage, seconds, counts in store.execute(query("runs/progress_stages"), [seen.run_id]):
            seen.stages[stage] = (float(seconds), counts)
        counted = store.execute(query("runs/progress_chunks"), [seen.run_id]).fetchone()
    if counted:
        seen.chunks, seen.handed_over, seen.final, seen.accepted = (int(number) for number in counted)
    return seen


@dataclass(frozen=True)
class Row:
    """One stage as it is shown."""

    stage: str
    state: str
    detail: str
    seconds: float | None


def rows(seen: Snapshot, tasks: Sequence[Task]) -> list[Row]:
    """The stages in order, from what the store and Airflow know."""
    by_stage: dict[str, list[Task]] = {}
    for task in tasks:
        by_stage.setdefault(task.task_id, []).append(task)
    names = [*STAGES, *(name for name in by_stage if name not in STAGES)]
    return [_row(name, by_stage.get(name, []), seen) for name in names]


def _row(stage: str, tasks: Sequence[Task], seen: Snapshot) -> Row:
    states = Counter(task.state for task in tasks)
    state = next((known for known in RANK if states[known]), next(iter(states), "waiting"))
    seconds = max((task.seconds for task in tasks if task.seconds is not None), default=None)
    detail = ""
    if stage in seen.stages:
        seconds, counts = seen.stages[stage]
        detail = _counts(counts)
        if not tasks:
            # Without Airflow, the store alone says how far it is; the chunks of dispatch are one stage there.
            state = "running" if stage == "dispatch" and seen.handed_over < seen.chunks else "success"
    if stage == "dispatch" and seen.chunks:
        detail = f"{seen.handed_over} of {seen.chunks} chunks · {seen.accepted:,} accepted"
    if stage == "collect_receipts" and seen.handed_over:
        detail = f"{seen.final} of {seen.chunks} chunks settled"
    if len(tasks) > 1 and states["failed"]:
        detail = f"{states['failed']} failed · {detail}"
    # a chunk waits only for what holds its run back, such as the night
    word = "on hold" if (stage, state) == ("dispatch", "deferred") else WORDS.get(state, state)
    return Row(stage, word, detail, seconds)


def _counts(counts: Mapping[str, object]) -> str:
    return " · ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in counts.items() if isinstance(value, int))


class Display:
    """Shows rows until the block ends."""

    def __init__(self, title: str) -> None:
        self.title, self.began = title, time.monotonic()
        self.live: Live | None = None
        self.shown: dict[str, Row] = {}
        self.said: dict[str, float] = {}

    def __enter__(self) -> "Display":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self.live = Live(console=Console(stderr=True), auto_refresh=False)
            self.live.start()
        else:
            say(self.title)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave what is shown standing; what is said now comes after it."""
        if self.live is not None:
            self.live.stop()

    def show(self, now: Sequence[Row]) -> None:
        """Show the stages as they are now."""
        if self.live is not None:
            self.live.update(self._table(now), refresh=True)
            return
        for row in now:
            before = self.shown.get(row.stage)
            if row.state == "waiting" or row == before:
                continue
            if before is None or before.state != row.state or self._is_time(row.stage):
                took = f" ({row.seconds:.1f} s)" if row.seconds is not None and row.state == "done" else ""
                detail = f" · {row.detail}" if row.detail else ""
                say(f"[{time.monotonic() - self.began:6.1f} s] {row.stage:<17} {row.state}{took}{detail}")
                self.shown[row.stage], self.said[row.stage] = row, time.monotonic()

    def _is_time(self, stage: str) -> bool:
        return time.monotonic() - self.said.get(stage, 0) >= LINE_SECONDS

    def _table(self, now: Sequence[Row]) -> "Table":
        from rich.table import Table

        table = Table(title=self.title, title_justify="left", box=None, pad_edge=False)
        table.add_column("stage")
        table.add_column("state")
        table.add_column("seconds", justify="right")
        table.add_column("")
        colours = {"done": "green", "running": "cyan", "failed": "bold red", "will be tried again": "yellow"}
        for row in now:
            seconds = f"{row.seconds:.1f}" if row.seconds is not None else ""
            table.add_row(row.stage, row.state, seconds, row.detail, style=colours.get(row.state))
        table.caption = f"{time.monotonic() - self.began:.0f} s"
        return table

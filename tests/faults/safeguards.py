"""The safeguards of the hand-over, each with the way to take it out of a process.

Only tests do that, in children they have forked: the product has no switch for it. A harness that finds nothing wrong
without a safeguard would prove nothing with it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from include.audience import freeze as freezing
from include.campaigns import runs
from include.campaigns.guard import CANCELLED, Hold
from include.campaigns.runs import Run
from include.delivery import dispatch
from include.delivery import line as line_room
from include.delivery.chunks import Chunk
from include.queries import query


def _queries(changed: dict[str, str]) -> Any:
    return lambda name: changed[name] if name in changed else query(name)


def no_marker() -> None:
    """No marker is written, so none is ever found."""
    line_room.query = _queries({"line/mark": "DO %(run)s, %(hop)s, %(chunk)s, %(table)s, %(rows)s"})  # type: ignore[attr-defined]
    line_room.Line.marker = lambda self, chunk: None  # type: ignore[method-assign]


def no_lock() -> None:
    """Writers of one table do not take turns."""
    held = line_room.Line._lock

    @contextmanager
    def lock(self: line_room.Line, name: str) -> Iterator[None]:
        if name == self.table:
            yield
        else:
            with held(self, name):
                yield

    line_room.Line._lock = lock  # type: ignore[method-assign]


def no_claim() -> None:
    """Messages leave unclaimed: they are written down when the line has taken them."""
    claim, accept = dispatch._claim, dispatch._accept

    def claim_late(store: psycopg.Connection, run: Run, chunk: Chunk, handed_over: int) -> None:
        claim(store, run, chunk)
        accept(store, run, chunk, handed_over)

    dispatch._claim = lambda store, run, chunk: 0
    dispatch._accept = claim_late


def no_freeze() -> None:
    """Every try decides anew who gets the message, as long as what was staged is there."""
    locked = query("audience/freeze_lock")
    undo = (
        "DELETE FROM recipients WHERE run_id = %(run)s",
        "DELETE FROM exclusions WHERE run_id = %(run)s",
        "UPDATE runs SET frozen_at = NULL WHERE run_id = %(run)s",
    )
    freezing_freeze = freezing.freeze

    def freeze(store: psycopg.Connection, run: Run) -> freezing.FreezeCounts:
        with store.transaction():
            state = store.execute(locked, {"run": run.run_id}).fetchone()
            if state is not None and state[0] and state[1]:
                for statement in undo:
                    store.execute(statement, {"run": run.run_id})
        return freezing_freeze(store, run)

    from tests.faults import tries

    tries.freeze = freeze  # type: ignore[attr-defined]


def no_deciding() -> None:
    """A run is born started: whoever finds it takes it for one that was let go."""
    born = query("runs/begin")
    columns, values = "lines, run_at)", "l.numbers, %(run_at)s"
    assert columns in born
    assert values in born
    begin = born.replace(columns, "lines, run_at, state)").replace(values, f"{values}, 'started'")
    runs.query = _queries({"runs/begin": begin})  # type: ignore[attr-defined]


def no_hold() -> None:
    """A chunk leaves whatever holds it back."""
    _hear_only(lambda hold: hold.reason == CANCELLED)


def no_cancel() -> None:
    """A chunk leaves although its run was cancelled."""
    _hear_only(lambda hold: hold.reason != CANCELLED)


def _hear_only(concerns: Callable[[Hold], bool]) -> None:
    ask = dispatch.ask_for_hold  # type: ignore[attr-defined]

    def ask_for_some(store: psycopg.Connection, run_id: int) -> Hold | None:
        hold = ask(store, run_id)
        return hold if hold is not None and concerns(hold) else None

    dispatch.ask_for_hold = ask_for_some  # type: ignore[attr-defined]


UNLOCKED = {
    "freeze": (
        "ALTER TABLE runs DISABLE TRIGGER runs_keep_frozen",
        "GRANT DELETE ON recipients, exclusions TO bongsu_app",
    ),
}
"""What the store itself holds on to, beside the code; let go by its owner before a schedule does without the safeguard.
"""

REMOVALS: dict[str, Callable[[], None]] = {
    "marker": no_marker,
    "lock": no_lock,
    "claim": no_claim,
    "freeze": no_freeze,
    "deciding": no_deciding,
    "hold": no_hold,
    "cancel": no_cancel,
}

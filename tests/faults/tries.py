"""One try of one task of a run, in a process of its own, so that a SIGKILL is a real one.

What the operators do with ``include/``, without Airflow around it. Before it begins, a try may be armed: with a crash
or a pause at a boundary of the protocol, a clock that is a day off, short lock time-outs, or a safeguard taken out
(:mod:`tests.faults.safeguards`). All of it happens in the forked child only.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import MySQLdb
import psycopg

from include import crashpoints
from include.audience.freeze import freeze
from include.audience.staging import import_targets
from include.campaigns import runs
from include.campaigns.guard import Refusal
from include.campaigns.guarding import Asked, guard
from include.crashpoints import CrashPoint
from include.delivery import line as line_room
from include.delivery.chunks import plan_chunks
from include.delivery.dispatch import OnHold, dispatch_chunk
from include.delivery.line_connection import connect_for_hand_over, connect_line
from include.delivery.receipts import collect, expire, window_closes
from include.errors import HandOverError, RunOver
from include.pipeline.cancel import cancel, finish
from include.privacy.cipher import KeyRing
from include.queries import query
from include.reporting.books import close
from include.store import connect
from include.taxonomy import Kind, classify
from tests.faults.safeguards import REMOVALS

CANCEL_REASON = "a wrong price"
LOOKS = 40
LOOK_SECONDS = 0.008
LONGEST_LOCK = 1.5
"""Seconds a try waits for a named lock; in the product two minutes."""
IMPATIENT = 0.04

line_options: dict[str, object] = {}


@dataclass(frozen=True)
class Place:
    """Where a run lives: what a task of Airflow gets from its connections and its DAG."""

    store_url: str
    line_url: str
    ring: KeyRing
    tenant_id: int
    campaign_id: int
    dag_id: str
    dag_run: str
    run_after: datetime
    run_type: str = "manual"
    run_id: int = 0


@dataclass(frozen=True)
class Arms:
    """What happens to a try."""

    crash: str = ""
    pause: str = ""
    pause_seconds: float = 0.0
    days_off: int = 0
    impatient: bool = False
    without: str = ""


@dataclass
class Outcome:
    """How a try ended. ``killed``: by SIGKILL; ``final``: an error that is not retried; ``refused``: by the guard;
    ``held``: its chunk may not leave just now; ``over``: the run was cancelled.
    """

    ok: bool = False
    refused: bool = False
    held: bool = False
    over: bool = False
    killed: bool = False
    final: bool = False
    waiting: bool = False
    text: str = ""
    value: Any = None


@dataclass
class Try:
    """A child that runs."""

    task: str
    chunk: int
    pid: int
    pipe: int
    armed: str = ""
    began: float = field(default_factory=time.monotonic)

    def poll(self) -> Outcome | None:
        """How it ended; ``None`` while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        with os.fdopen(self.pipe, "rb") as pipe:
            said = pipe.read()
        if os.WIFSIGNALED(status):
            return Outcome(killed=True, text=f"signal {os.WTERMSIG(status)}")
        return Outcome(**json.loads(said)) if said else Outcome(text=f"status {status}")

    def kill(self) -> None:
        """What the kernel does to it when memory runs out."""
        os.kill(self.pid, signal.SIGKILL)


def start(place: Place, task: str, chunk: int, arms: Arms) -> Try:
    """Begin a try of a task."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Try(task, chunk, pid, reading, arms.crash)
    outcome = Outcome()
    try:  # the child: it leaves by _exit and never returns
        os.close(reading)
        outcome = _run(place, task, chunk, arms)
        os.write(writing, json.dumps(asdict(outcome)).encode())
    except BaseException as error:
        os.write(writing, json.dumps(asdict(Outcome(text=repr(error)[:400]))).encode())
    finally:
        os._exit(0)


def _run(place: Place, task: str, chunk: int, arms: Arms) -> Outcome:
    _arm(arms)
    try:
        with connect(place.store_url, place.tenant_id) as store:
            if arms.impatient:
                store.execute("SET lock_timeout = '40ms'")
                store.commit()
                line_options["init_command"] = "SET innodb_lock_wait_timeout = 0"
            return TASKS[task](place, store, chunk)
    except OnHold as hold:
        return Outcome(held=True, text=str(hold))
    except RunOver as over:
        return Outcome(over=True, text=str(over))
    except Exception as error:
        # what Airflow's retry policy asks, too
        final = classify(error).kind is Kind.permanent
        return Outcome(final=final, text=f"{type(error).__name__}: {error}"[:400])


def _guard(place: Place, store: psycopg.Connection, chunk: int) -> Outcome:
    asked = Asked(run_after=place.run_after, run_type=place.run_type)
    run, decision = guard(store, place.campaign_id, place.dag_id, place.dag_run, asked)
    if isinstance(decision, Refusal):
        return Outcome(refused=True, value=run.run_id, text=decision.sentence)
    return Outcome(ok=True, value=run.run_id)


def _import(place: Place, store: psycopg.Connection, chunk: int) -> Outcome:
    run = runs.load_going(store, place.run_id)
    with runs.stage(store, run, "import_targets") as stage:
        if run.frozen_at is not None:
            stage.worked = False
            return Outcome(ok=True)
        stage.counts = asdict(import_targets(store, run, place.ring))
    return Outcome(ok=True)


def _freeze(place: Place, store: psycopg.Connection, chunk: int) -> Outcome:
    run = runs.load_going(store, place.run_id)
    with runs.stage(store, run, "dedupe_targets") as stage:
        found = freeze(store, run)
        stage.worked = not found.already
        stage.counts = {"recipients": found.recipients}
    return Outcome(ok=True, value=found.recipients)


def _plan(place: Place, store: psycopg.Connection, chunk: int) -> Outcome:
    run = runs.load_going(store, place.run_id, closes=True)
    with runs.stage(store, run, "chunk_recipients"):
        numbers = plan_chunks(store, run)
        runs.set_state(store, run.run_id, "sending")
    return Outcome(ok=True, value=numbers)


def _dispatch(place: Place, store: psycopg.Connection, chunk: int) -> Outcome:
    run = runs.load_going(store, place.run_id, closes=True)
    with runs.stage(store, run, "dispatch", shared=True) as stage:
        line = connect_for_hand_over(place.line_url, **line_options)
        try:
            done = dispatch_chunk(store, line, run, place.ring, chunk)
        finally:
            line.close()
        stage.worked = not done.already
        stage.counts = {"accepted": done.accepted}
    return Outcome(ok=True)


def _collect(place: Place, store: psycopg.Connection, chunk: int) -> Outcome:
    """Look until every message has its result. The trigger's waiting is left out: looks follow one another."""
    run = runs.load_going(store, place.run_id, closes=True)
    line = connect_line(place.line_url, **line_options)
    try:
        for _ in range(LOOKS):
            found = collect(store, line, run)
            closed = datetime.now(UTC) >= window_closes(store, run)
            if closed:
                expire(store, run)
            if closed or found.outstanding == 0:
                return Outcome(ok=True)
            time.sleep(LOOK_SECONDS)
    finally:
        line.close()
    return Outcome(waiting=True, text=f"{found.outstanding} open, {found.waiting} wait at the agents")


def _close(place: Place, store: psycopg.Connection, chunk: int) -> Outcome:
    run = runs.load_going(store, place.run_id, closes=True)
    try:
        with runs.stage(store, run, "aggregate_results") as stage:
            totals = close(store, run)
            stage.worked = run.state != "finished"
    except HandOverError:
        runs.set_state(store, run.run_id, "failed")
        raise
    runs.set_state(store, run.run_id, "finished")
    finish(store, run, totals)
    return Outcome(ok=True)


def begin_cancel(place: Place) -> None:
    """What :func:`include.pipeline.cancel.cancel` does first, so that its moment is known."""
    with connect(place.store_url, place.tenant_id) as store:
        store.execute(query("runs/cancel"), {"run": place.run_id, "reason": CANCEL_REASON})


def _cancel(place: Place, store: psycopg.Connection, chunk: int) -> Outcome:
    """A person cancels the run; there is nothing to cancel when it has ended."""
    if runs.load(store, place.run_id).state == "finished":
        return Outcome(ok=True, value=False)
    line = connect_line(place.line_url, **line_options)
    try:
        cancel(store, line, place.ring, place.run_id, CANCEL_REASON)
    finally:
        line.close()
    return Outcome(ok=True, value=True)


TASKS: dict[str, Callable[[Place, psycopg.Connection, int], Outcome]] = {
    "guard": _guard,
    "import_targets": _import,
    "dedupe_targets": _freeze,
    "chunk_recipients": _plan,
    "dispatch": _dispatch,
    "collect_receipts": _collect,
    "aggregate_results": _close,
    "cancel": _cancel,
}


def _arm(arms: Arms) -> None:
    line_room.LOCK_SECONDS = IMPATIENT if arms.impatient else LONGEST_LOCK  # type: ignore[assignment]  # the server takes fractions
    if arms.crash or arms.pause:
        crash = crashpoints.arm(arms.crash or None)

        def reach(point: CrashPoint) -> None:
            if point == arms.pause:
                time.sleep(arms.pause_seconds)
            crash(point)

        _everywhere("reach", crashpoints.reach, reach)
    if arms.days_off:
        _shift_clock(timedelta(days=arms.days_off))
    if arms.without:
        REMOVALS[arms.without]()


def _everywhere(name: str, old: object, new: object) -> None:
    """Replace what the product's modules imported by name."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith(("include.", "tests.faults.tries")) and getattr(module, name, None) is old:
            setattr(module, name, new)


def _shift_clock(by: timedelta) -> None:
    """The machine's clock is wrong, for Python's eyes."""
    seconds, real = by.total_seconds(), time.time

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Shifted":
            return cls.fromtimestamp(real() + seconds, tz)

    _everywhere("datetime", datetime, Shifted)
    time.time = lambda: real() + seconds


assert MySQLdb.Error  # loaded before the fork, not in every child

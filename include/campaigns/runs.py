"""A run: one execution of a campaign, with the definition as it was when the run began.

Owns the run's row and its stages. A run names the version of the definition that it began with, and later stages read
that one, so an edit cannot change a run under way.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from include.campaigns.spec import CampaignSpec
from include.crashpoints import CrashPoint, reach
from include.errors import BongsuError, Refused, RunOver
from include.queries import query

CANCELLED = ("cancelling", "cancelled")
"""States of a run that a person has cancelled: ``cancelling`` until nothing of it waits for a result."""


class UnknownRun(BongsuError):
    """No run of that number is visible to the tenant."""


@dataclass(frozen=True)
class Run:
    """One row of ``runs``, with the definition of the version that it names.

    :param content_hash: SHA-256 of the definition's message part, as it was computed when the version was applied.
    :param lines: line numbers that its chunks go round, in order.
    :param run_at: when it began, UTC.
    :param month: the partition of its wide rows: months since the year 0.
    :param columns: variable names in the order of the values in a payload, the phone number first; set by the import.
    :param frozen_at: when its audience was frozen; nobody is added after that.
    """

    run_id: int
    tenant_id: int
    campaign_id: int
    version: int
    document: dict[str, Any]
    content_hash: bytes
    dag_id: str
    dag_run_id: str
    test_send: bool
    lines: list[int]
    run_at: datetime
    month: int
    state: str
    refusal: str | None
    columns: list[str] | None
    rows_read: int | None
    audience_hash: bytes | None
    frozen_at: datetime | None

    @cached_property
    def spec(self) -> CampaignSpec:
        """The definition the run began with."""
        return CampaignSpec.model_validate(self.document)

    @property
    def audience_file(self) -> Path:
        """The file whose people the run is for: a test send's own people, never the customers."""
        audience = self.spec.audience
        if not self.test_send:
            return Path(audience.file)
        if audience.test_file is None:
            raise Refused("A test send never goes to the customers. Name your own people in audience.test_file.")
        return Path(audience.test_file)

    @property
    def key(self) -> str:
        """Context of the cipher that seals the run's rows: they open nowhere else."""
        return f"run:{self.tenant_id}.{self.run_id}"

    @property
    def place(self) -> dict[str, int]:
        """Where its rows stand in the store, as the queries name it."""
        return {"tenant": self.tenant_id, "run": self.run_id, "month": self.month}


def begin(
    store: psycopg.Connection,
    campaign_id: int,
    dag_id: str,
    dag_run_id: str,
    *,
    test_send: bool,
    now: datetime | None = None,
) -> Run:
    """The run of this DAG run: begun now from the campaign's current version, or as it was begun before.

    It is born ``deciding``: nothing may be done for it until the guard's decision is written.
    """
    moment = now or datetime.now(UTC)
    values = {
        "campaign": campaign_id,
        "dag": dag_id,
        "dag_run": dag_run_id,
        "test_send": test_send,
        "run_at": moment,
    }
    store.execute("SELECT bongsu.ensure_month(%s)", [moment])
    store.execute(query("runs/begin"), values)
    store.commit()
    reach(CrashPoint.after_begin)
    run = find(store, campaign_id, dag_id, dag_run_id)
    if run is None:
        raise BongsuError(
            f"Campaign {campaign_id} is not in the store of this tenant, or it has no line: give its tenant a line "
            "group that has one."
        )
    return run


def find(store: psycopg.Connection, campaign_id: int, dag_id: str, dag_run_id: str) -> Run | None:
    """The run of a DAG run, if it has begun before."""
    values = {"campaign": campaign_id, "dag": dag_id, "dag_run": dag_run_id}
    with store.transaction(), store.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(query("runs/by_dag_run"), values).fetchone()


def load(store: psycopg.Connection, run_id: int) -> Run:
    """Read a run.

    :raises UnknownRun: there is none of that number for this tenant.
    """
    with store.transaction(), store.cursor(row_factory=class_row(Run)) as cursor:
        run = cursor.execute(query("runs/by_id"), [run_id]).fetchone()
    if run is None:
        raise UnknownRun(f"Run {run_id} is not in the store of this tenant.")
    return run


def load_going(store: psycopg.Connection, run_id: int, *, closes: bool = False) -> Run:
    """Read a run that a stage is to work for.

    :param closes: the stage has work to do for a run that was cancelled, too: it takes back, settles or counts.
    :raises UnknownRun: there is none of that number for this tenant.
    :raises Refused: the guard or the gate has refused it, and nobody has asked the guard again.
    :raises RunOver: it was cancelled, and the stage does not close it.
    """
    run = load(store, run_id)
    if run.state in CANCELLED and not closes:
        raise RunOver(f"Run {run_id} was cancelled: {run.refusal}.")
    if run.state in ("deciding", "refused"):
        said = f": {run.refusal.split(': ', 1)[-1]}" if run.refusal else "."
        raise Refused(f"Run {run_id} may not go{said} Start a new run, or clear the guard and all after it.")
    return run


def set_state(store: psycopg.Connection, run_id: int, state: str, refusal: str | None = None) -> None:
    """Move a run that went on; a finished one stays finished, one that is being cancelled stays so."""
    store.execute(query("runs/set_state"), {"run": run_id, "state": state, "refusal": refusal})
    store.commit()


@dataclass
class Stage:
    """What a stage reports about itself; ``counts`` go to the store, ``worked`` is false when all was done before."""

    counts: dict[str, int] = field(default_factory=dict)
    worked: bool = True


@contextmanager
def stage(store: psycopg.Connection, run: Run, name: str, *, shared: bool = False) -> Iterator[Stage]:
    """Time a stage and record it when it has ended well and has done something.

    :param shared: several tasks make up the stage; their counts add up, from the first start to the last end.
    """
    started = datetime.now(UTC)
    doing = Stage()
    yield doing
    if doing.worked:
        values = {
            "tenant": run.tenant_id,
            "run": run.run_id,
            "stage": name,
            "started": started,
            "shared": shared,
            "counts": json.dumps(doing.counts),
        }
        store.execute(query("runs/record_stage"), values)
        store.commit()


def stages(store: psycopg.Connection, run_id: int) -> dict[str, float]:
    """Seconds by stage, in the order in which they began."""
    with store.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("runs/stages"), [run_id]).fetchall()
    return {row["stage"]: float(row["seconds"]) for row in rows}

"""Times work and limits, and says whether a target is met."""

import gc
import statistics
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

SEED = 20261121


@dataclass(frozen=True)
class Measured:
    """One line of the table.

    :ivar name: what was done; stable, the history compares by it.
    :ivar ours: what we took, in ``unit``.
    :ivar limit: what the limit or the peer took, in the same unit and the same run; ``None`` for an absolute target.
    :ivar ratio: ours divided by the limit.
    :ivar target: what is asked for, in words.
    :ivar met: whether it holds.
    :ivar against: what the limit is.
    :ivar rows: how many rows, messages or people it was about.
    :ivar note: what a reader should know beside the figures.
    """

    name: str
    ours: float
    limit: float | None
    ratio: float | None
    target: str
    met: bool
    unit: str
    against: str
    rows: int
    note: str = ""

    @classmethod
    def at_most(
        cls,
        name: str,
        ours: float,
        limit: float,
        factor: float,
        *,
        against: str,
        rows: int,
        unit: str = "s",
        note: str = "",
    ) -> Self:
        """Ours is at most ``factor`` × the limit."""
        ratio = ours / limit
        return cls(name, ours, limit, ratio, f"≤ {factor:g} ×", ratio <= factor, unit, against, rows, note)

    @classmethod
    def at_least(
        cls,
        name: str,
        ours: float,
        limit: float,
        factor: float,
        *,
        against: str,
        rows: int,
        unit: str = "rows/s",
        note: str = "",
    ) -> Self:
        """Ours is at least ``factor`` × the limit; for rates."""
        ratio = ours / limit
        return cls(name, ours, limit, ratio, f"≥ {factor:g} ×", ratio >= factor, unit, against, rows, note)

    @classmethod
    def bound(
        cls,
        name: str,
        ours: float,
        *,
        most: float | None = None,
        least: float | None = None,
        unit: str,
        rows: int,
        note: str = "",
    ) -> Self:
        """Ours against a fixed figure; ``most`` or ``least``."""
        target = f"≤ {most:,g} {unit}" if most is not None else f"≥ {least:,g} {unit}"
        met = (most is None or ours <= most) and (least is None or ours >= least)
        return cls(name, ours, None, None, target, met, unit, "", rows, note)


@dataclass
class Bench:
    """What a run of the benchmarks gives to each of its rows.

    :ivar rows: size of the customer file.
    :ivar repeats: how often a thing is timed; the median counts.
    :ivar folder: for files of this run.
    :ivar say: shows one line of progress.
    :ivar small: the five-minute version; rows choose their own sizes by it.
    :ivar asked: names of the rows of the table that this run measures.
    :ivar shared: what is left running for the rows that follow, until one comes that has no use for it.
    :ivar kept: what a row leaves for later ones of the same run, by name (seconds, peaks of memory).
    """

    rows: int
    repeats: int
    folder: Path
    say: Callable[[str], None]
    small: bool
    asked: Collection[str]
    shared: ExitStack
    kept: dict[str, object] = field(default_factory=dict)

    def seconds(self, action: Callable[[], object]) -> float:
        """Wall seconds of one call."""
        gc.collect()
        started = time.perf_counter()
        action()
        return time.perf_counter() - started

    def median(self, action: Callable[[], object]) -> float:
        """Median wall seconds of ``repeats`` calls after one that warms up."""
        action()
        return statistics.median(self.seconds(action) for _ in range(self.repeats))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

"""Makes the process crash at a boundary of the hand-over protocol, to prove that nothing is sent twice or lost.

``BONGSU_CRASH=<point>[:<nth>]``, read once at import, arms one point by name or number; the process then kills itself
with SIGKILL the first (or nth) time it gets there, as a power cut would: nothing is cleaned up, nothing is flushed.
Otherwise :func:`reach` is a function that does nothing. It is called once a chunk or transaction, never per row.
"""

import os
import signal
from collections.abc import Callable
from enum import StrEnum, auto

VARIABLE = "BONGSU_CRASH"


class CrashPoint(StrEnum):
    """The boundaries in the order of the protocol; the first has the number 1."""

    after_begin = auto()
    """A run is begun and committed; the guard has not decided."""
    after_decision = auto()
    """The guard's decision is committed; Airflow does not know it."""
    after_freeze = auto()
    """The audience is frozen and committed."""
    after_claim = auto()
    """A chunk is claimed and committed; nothing has gone to the line."""
    inside_line_transaction = auto()
    """Marker and rows are inserted and not committed."""
    after_line_commit = auto()
    """The line has taken the chunk; the store does not know."""
    before_store_commit = auto()
    """The acceptance is written to the store and not committed."""
    after_store_commit = auto()
    """The acceptance is committed."""
    between_receipts = auto()
    """A chunk's results are read from the line; no message is settled with them."""
    after_receipts = auto()
    """A chunk's results are committed."""
    before_books = auto()
    """The certificate is written and not committed."""
    after_books = auto()
    """The certificate is committed."""

    @property
    def number(self) -> int:
        """Its place in the protocol."""
        return list(CrashPoint).index(self) + 1


def parse(value: str) -> tuple[CrashPoint, int]:
    """The point that ``<name or number>[:<nth>]`` means, and at which time it crashes.

    :raises ValueError: no point is called so. A misspelt crash that never comes would prove nothing.
    """
    name, _, nth = value.partition(":")
    found = [point for point in CrashPoint if name in (point.value, str(point.number))]
    if not found or (nth and not (nth.isascii() and nth.isdigit() and int(nth) > 0)):
        known = ", ".join(f"{point.number} {point}" for point in CrashPoint)
        raise ValueError(f"{VARIABLE}={value}: write <point> or <point>:<nth>; the points are {known}.")
    return found[0], int(nth or 1)


def _nothing(point: CrashPoint, /) -> None:
    """No crash is wanted."""


def _armed(wanted: CrashPoint, nth: int) -> Callable[[CrashPoint], None]:
    left = nth

    def crash(point: CrashPoint, /) -> None:
        nonlocal left
        if point is wanted:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return crash


def arm(value: str | None) -> Callable[[CrashPoint], None]:
    """What :func:`reach` is for a value of the variable."""
    return _armed(*parse(value)) if value else _nothing


reach = arm(os.environ.get(VARIABLE))
"""Called where the protocol crosses a boundary; kills the process when that is the one armed."""

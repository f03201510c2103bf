"""Hands one chunk over to its line, exactly once however often it is tried.

The protocol (design: exactly once, provably), with what a crash at each point leaves behind::

    lock the chunk on the line's server     two tries of one chunk take turns; the lock dies with its connection
    marker there?  ── yes ─────────────┐    an earlier try has handed over: nothing is written to the line again,
                                       │    and what the store does not know of it (a backup) is looked up
    cancelled? take it back            │    a cancelled run's chunk never leaves, and says so in the books
    a hold? wait, without a worker     │    the night, the kill switch, a paused campaign
    claim in the store, commit         │    a unique row per (run, recipient, hop) stands before anything leaves
    render and seal a file in memory   │    crash: claimed, nothing left; the next try goes on here
    lock the table; a hold by now?;    │    the table may have been another's for two minutes
      marker and rows, one             │    crash: neither marker nor rows; the next try goes on here
      transaction; commit; unlock      │    crash after it: the marker is there
    ◄──────────────────────────────────┘
    accept in the store, commit             crash before it: the next try finds the marker and comes here

People who refused between the freeze and this moment, or whose recorded consent is over, are withdrawn with the claim,
never after the marker.
"""

from dataclasses import dataclass
from itertools import groupby

import MySQLdb
import psycopg

from include.audience.packing import SEPARATOR
from include.campaigns.guard import CANCELLED, Hold
from include.campaigns.guarding import ask_for_hold
from include.campaigns.runs import Run
from include.crashpoints import CrashPoint, reach
from include.delivery.chunks import Chunk, load_chunk
from include.delivery.line import Line, QueueRows, queue_row
from include.delivery.receipts import read_rows
from include.errors import BongsuError, HandOverError, Unavailable
from include.messages.plan import MessagePlan
from include.messages.sizing import LMS, SMS
from include.messages.template import Pattern, Slot
from include.privacy.cipher import KeyRing
from include.queries import query
from include.store import SET_AGAINST_SET

BATCH = 2_000
"""Messages worked on at once: as many as stay in the processor's cache."""


@dataclass(frozen=True)
class Dispatched:
    """What became of a chunk.

    :param accepted: messages that the line took.
    :param already: it was done before.
    :param unknown: messages of which nobody can tell, since store or line was restored from a backup.
    """

    accepted: int
    withdrawn: int
    already: bool
    cancelled: int = 0
    unknown: int = 0


class OnHold(BongsuError):
    """The chunk may not leave just now; nothing of it has left. Ask again when :attr:`hold` is over."""

    def __init__(self, hold: Hold) -> None:
        self.hold = hold
        super().__init__(f"Nothing leaves just now. {hold.sentence}")


class Barred(BongsuError):
    """The chunk may never leave any more; nothing of it has left."""


def dispatch_chunk(
    store: psycopg.Connection,
    line_connection: MySQLdb.Connection,
    run: Run,
    ring: KeyRing,
    chunk_no: int,
    hop: int = 0,
) -> Dispatched:
    """Hand chunk ``chunk_no`` over to its line. Safe to repeat, and to run twice at once.

    :param store: the store, as the run's tenant.
    :param line_connection: a connection of its own to the line's server; locks live on it.
    :raises OnHold: it has to wait.
    :raises Barred: it will not leave any more, as after the campaign's last day.
    :raises HandOverError: what the line took is not what was claimed.
    :raises Unavailable: a server did not answer or gave way; try again.
    """
    chunk = load_chunk(store, run, chunk_no, hop)
    line = Line(line_connection, chunk.table_name)
    with line.chunk_lock(chunk):
        # only now: another try, or a cancel, may have ended while this one waited for the lock
        chunk = load_chunk(store, run, chunk_no, hop)
        if chunk.state in ("accepted", "final"):
            return _done(chunk, already=True)
        handed_over = line.marker(chunk)
        already = handed_over is not None
        if handed_over is not None:
            handed_over = _recover(store, line_connection, run, chunk, handed_over)
        else:
            try:
                _ask(store, chunk)
                withdrawn = _claim(store, run, chunk)
                reach(CrashPoint.after_claim)
                rows = _queue_rows(store, run, ring, chunk, withdrawn)
                handed_over = line.hand_over(chunk, rows, lambda: _ask(store, chunk))
            except _Cancelled:
                _take_back(store, run, chunk)
                return _done(load_chunk(store, run, chunk_no, hop), already=False)
    _accept(store, run, chunk, handed_over)
    return _done(load_chunk(store, run, chunk_no, hop), already=already)


def _done(chunk: Chunk, *, already: bool) -> Dispatched:
    unknown = chunk.size - chunk.accepted - chunk.withdrawn - chunk.cancelled
    return Dispatched(chunk.accepted, chunk.withdrawn, already, chunk.cancelled, unknown)


class _Cancelled(Exception):  # no error: the chunk has another end
    """Somebody has cancelled the run, and nothing of the chunk has left."""


def _ask(store: psycopg.Connection, chunk: Chunk) -> None:
    """Refuse to go on once the run is cancelled, or while something holds it back; a chunk of nobody is not held."""
    hold = ask_for_hold(store, chunk.run_id)
    if hold is not None and hold.reason == CANCELLED:
        raise _Cancelled
    if hold is None or not chunk.size:
        return
    if hold.for_good:
        raise Barred(
            f"{hold.sentence} Nothing of chunk {chunk.chunk_no} has left. Close the run's books with: "
            f"bongsu cancel {chunk.run_id}"
        )
    raise OnHold(hold)


def _take_back(store: psycopg.Connection, run: Run, chunk: Chunk) -> None:
    """Cancel a chunk of which nothing has left."""
    with store.transaction():
        store.execute(query("delivery/cancel_chunk"), {**run.place, **chunk.key})


def _recover(store: psycopg.Connection, line: MySQLdb.Connection, run: Run, chunk: Chunk, handed_over: int) -> int:
    """Give everybody of a chunk that was handed over a message, and tell apart whom the line holds; how many it holds.

    After a try that died there is nothing to do. A store or line that was restored from a backup may know less than the
    other: then who has a row on the line was handed over, and what became of the others nobody can tell.

    :raises HandOverError: the line holds more than it says it took.
    """
    values = {**run.place, **chunk.key}
    with store.transaction():
        claimed = store.execute(query("delivery/claim"), values).rowcount
        if not claimed and handed_over == chunk.size - chunk.withdrawn:
            return handed_over
        read_rows(store, line, chunk)
        row = store.execute(query("delivery/unknown"), values).fetchone()
        assert row is not None
        found = int(row[0])
        if found > handed_over:
            raise HandOverError(
                f"Chunk {chunk.chunk_no} of run {run.run_id}: the line took {handed_over:,} messages, its tables hold "
                f"{found:,}. Compare BONGSU_HANDOVER with the line's rows of this chunk."
            )
    return found


def _claim(store: psycopg.Connection, run: Run, chunk: Chunk) -> int:
    """Claim the chunk's recipients, and withdraw those who have refused since the freeze; how many have."""
    spec = run.spec
    advertising = spec.purpose == "advertising"
    values = {
        **run.place,
        **chunk.key,
        "channel": spec.message.channel,
        "advertising": advertising,
        "recorded": advertising and spec.audience.consent == "recorded",
    }
    try:
        with store.transaction():
            store.execute(query("delivery/claim"), values)
            row = store.execute(query("delivery/withdraw"), values).fetchone()
    except psycopg.errors.UniqueViolation as error:
        # only a try that has lost its chunk lock, with its connection, can meet another one's claim
        raise Unavailable(f"Chunk {chunk.chunk_no} is being claimed by another try. Trying again.") from error
    assert row is not None
    return int(row[0])


def _queue_rows(store: psycopg.Connection, run: Run, ring: KeyRing, chunk: Chunk, withdrawn: int) -> QueueRows:
    """The claimed messages of the chunk, opened and rendered, in the order of their recipients."""
    width = len(run.columns or [])
    patterns, unseal = _row_patterns(run, chunk), ring.cipher(run.key).open_many
    found = QueueRows()
    with store.transaction(), store.cursor(binary=True) as cursor:
        store.execute(SET_AGAINST_SET)
        cursor.execute(query("delivery/claimed"), {**run.place, **chunk.key, "withdrawn": withdrawn})
        while claimed := cursor.fetchmany(BATCH):
            numbers, kinds, places, sealed = zip(*claimed, strict=True)
            payloads, rendered, end = unseal(sealed, places), [], 0
            for kind, alike in groupby(kinds):
                begin, end = end, end + sum(1 for _ in alike)
                recipients = [b"%d" % number for number in numbers[begin:end]]
                rendered.append(patterns[kind].fill_many([*_columns(payloads[begin:end], width), recipients]))
            found.add(b"".join(rendered), len(claimed))
    return found


def _columns(payloads: list[bytes], width: int) -> list[list[bytes]]:
    """The values of ``width`` columns, one list a column.

    :raises HandOverError: the payloads have other columns.
    """
    separator = SEPARATOR.encode()
    values = separator.join(payloads).split(separator)
    if len(values) != width * len(payloads):
        raise HandOverError("The frozen rows do not have the run's columns; nothing was sent.")
    return [values[place::width] for place in range(width)]


def _row_patterns(run: Run, chunk: Chunk) -> dict[str, Pattern]:
    """For each kind of message its queue row as one pattern; the recipient's number is the column behind the run's."""
    spec, columns = run.spec.message, run.columns or []
    plan = MessagePlan(spec.text, spec.subject, spec.allow_lms, columns)
    number = Pattern("%s", [Slot(columns.index("phone"), "phone", None)])
    recipient = Slot(len(columns), "recipient_no", None)
    patterns = {}
    for kind in (SMS, LMS):
        subject = plan.subject_pattern if kind == LMS else None
        text = queue_row(
            number.text,
            spec.sender,
            subject.text if subject else None,
            plan.text_pattern.text,
            kind,
            f"{run.run_id}.{chunk.hop}.%s",
        )
        parts = (number, subject, plan.text_pattern) if subject else (number, plan.text_pattern)
        patterns[kind] = Pattern(text, [*(slot for part in parts for slot in part.slots), recipient])
    return patterns


def _accept(store: psycopg.Connection, run: Run, chunk: Chunk, handed_over: int) -> None:
    """Write the line's yes into the store."""
    with store.transaction():
        counted = store.execute(query("delivery/accept"), {**run.place, **chunk.key}).fetchone()
        # no row: another try of this chunk has accepted it meanwhile
        accepted = counted[0] if counted else load_chunk(store, run, chunk.chunk_no, chunk.hop).accepted
        if accepted != handed_over:
            raise HandOverError(
                f"Chunk {chunk.chunk_no} of run {run.run_id}: the line took {handed_over:,} messages, "
                f"{accepted:,} are claimed. Do not clear it: compare BONGSU_HANDOVER with the messages of this chunk."
            )
        reach(CrashPoint.before_store_commit)
    reach(CrashPoint.after_store_commit)

"""The hand-over protocol as a small executable model: two databases made of dicts, agents, and the tasks of a run.

A task is a generator that stops where the product can crash (``include/crashpoints.py``); each of its steps is one
transaction or one lock, in the order of ``include/delivery/dispatch.py``, ``include/delivery/receipts.py`` and
``include/reporting/books.py``. A crash drops the generator: the databases keep what was committed, and the locks of the
session go. :meth:`World.broken` is the list of invariants; :class:`Guards` takes safeguards out.
"""

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from include.crashpoints import CrashPoint

Steps = Generator[CrashPoint | None, None, None]
"""What a task stops at: a boundary, or ``None`` while it waits for a lock."""


@dataclass(frozen=True)
class Guards:
    """The safeguards. ``month``: logs are read from the month of the marker, not from that of the acceptance."""

    marker: bool = True
    lock: bool = True
    claim: bool = True
    freeze: bool = True
    month: bool = True


class Broken(AssertionError):
    """An invariant does not hold, or the run cannot go on."""


@dataclass
class Row:
    """A row of a queue or a log."""

    seqno: int
    recipient: int
    person: str
    chunk: int
    claimed_at: int
    state: str = "waiting"
    answers: int = 0


@dataclass
class Chunk:
    """A chunk of the store."""

    number: int
    recipients: range
    line: int
    state: str = "planned"
    accepted: int = 0
    withdrawn: int = 0
    rows: int = 0
    accepted_in: int = 0


@dataclass
class Session:
    """One try's connections: its locks, and what it has written to the line and not committed."""

    locks: set[str] = field(default_factory=set)
    pending: list[Row] = field(default_factory=list)


@dataclass
class Agent:
    """A line's agent: nothing below its watermark is ever looked at."""

    watermark: int = 0


class World:
    """Everything there is: the file, the store, the line, the carrier.

    :param people: the file, in its order.
    """

    def __init__(self, people: list[str], chunk_size: int, lines: int, guards: Guards) -> None:
        self.people, self.chunk_size, self.guards = people, chunk_size, guards
        self.tick, self.month = 0, 1
        self.refused_at: dict[str, int] = {}
        # the store
        self.recipients: dict[int, str] | None = None
        self.first_freeze: dict[int, str] = {}
        self.chunks: dict[int, Chunk] = {}
        self.messages: dict[int, str] = {}
        self.certificate: bool | None = None
        # the line
        self.queues: dict[int, list[Row]] = {line: [] for line in range(lines)}
        self.logs: dict[tuple[int, int], list[Row]] = {}
        self.markers: dict[int, tuple[int, int]] = {}
        self._next = dict.fromkeys(range(lines), 1)
        self._locks: dict[str, Session] = {}
        # the carrier
        self.agents = {line: Agent() for line in range(lines)}
        self.sent: Counter[int] = Counter()

    # ---- tasks

    def freeze(self, session: Session) -> Steps:
        """Stage 3: who gets the message, decided once."""
        if self.recipients is None or not self.guards.freeze:
            chosen = [person for person in self.people if person not in self.refused_at]
            self.recipients = dict(enumerate(chosen, 1))
            self.first_freeze = self.first_freeze or dict(self.recipients)
        yield CrashPoint.after_freeze

    def plan(self, session: Session) -> Steps:
        """Stage 4: chunks of consecutive numbers, dealt to the lines, once."""
        assert self.recipients is not None
        for number, first in enumerate(range(1, len(self.recipients) + 1, self.chunk_size), 1):
            last = min(first + self.chunk_size, len(self.recipients) + 1)
            line = (number - 1) % len(self.queues)
            self.chunks.setdefault(number, Chunk(number, range(first, last), line))
        yield None

    def dispatch(self, session: Session, number: int) -> Steps:
        """Stage 5: one chunk to its line."""
        chunk = self.chunks[number]
        if chunk.state != "planned":
            return
        yield from self._lock(session, f"chunk {number}")
        handed_over = self.markers[number][0] if number in self.markers and self.guards.marker else None
        if handed_over is None:
            seen = self.tick
            if self.guards.claim:
                self._claim(chunk)
            yield CrashPoint.after_claim
            batch = self._batch(chunk)
            if self.guards.lock:
                yield from self._lock(session, f"table {chunk.line}")
            for recipient, person in batch:
                session.pending.append(Row(self._seqno(chunk.line), recipient, person, number, seen))
            yield CrashPoint.inside_line_transaction
            self.queues[chunk.line] += session.pending  # the commit: rows and marker, or neither
            session.pending = []
            if self.guards.marker:
                self.markers[number] = (len(batch), self.month)
            yield CrashPoint.after_line_commit
            self._unlock(session, f"table {chunk.line}")
            handed_over = len(batch)
        self._unlock(session, f"chunk {number}")
        yield CrashPoint.before_store_commit
        self._accept(chunk, handed_over)
        yield CrashPoint.after_store_commit

    def collect(self, session: Session) -> Steps:
        """Stage 6: results from queue and logs, chunk by chunk."""
        for chunk in [one for one in self.chunks.values() if one.state == "accepted"]:
            found = [(row.recipient, row.answers) for row in self._rows_of(chunk)]
            yield CrashPoint.between_receipts
            if chunk.state != "accepted":
                continue  # another try has settled it
            for recipient, answers in found:
                if answers and self.messages.get(recipient) == "accepted":
                    self.messages[recipient] = "delivered"
            chunk.rows = len(found)
            if not any(self.messages.get(number) == "accepted" for number in chunk.recipients):
                chunk.state = "final"
            yield CrashPoint.after_receipts

    def close_books(self, session: Session) -> Steps:
        """Stage 7: the equations and the certificate."""
        assert self.recipients is not None
        states = Counter(self.messages.values())
        withdrawn = states["withdrawn"]
        accepted = states["accepted"] + states["delivered"]
        equations = {
            "recipients = withdrawn + claimed": (len(self.recipients), withdrawn + accepted + states["pending"]),
            "claimed = accepted": (accepted + states["pending"], accepted),
            "accepted = rows on the line": (accepted, sum(chunk.rows for chunk in self.chunks.values())),
        }
        closed = all(left == right for left, right in equations.values())
        yield CrashPoint.before_books
        self.certificate = closed
        yield CrashPoint.after_books
        if not closed:
            raise Broken(f"the books do not close: {equations}")

    # ---- what happens to them

    def end(self, session: Session) -> None:
        """The session is over, by itself or by SIGKILL: what it had not committed and its locks are gone."""
        session.pending = []
        for name in list(session.locks):
            self._unlock(session, name)

    def refuse(self, person: str) -> None:
        """A person opts out."""
        self.refused_at.setdefault(person, self.tick)

    def poll(self, line: int) -> None:
        """The agent looks above its watermark."""
        agent = self.agents[line]
        for row in sorted(self.queues[line], key=lambda row: row.seqno):
            if row.seqno > agent.watermark:
                agent.watermark = row.seqno
                if row.state == "waiting":
                    row.state = "sent"
                    self.sent[row.recipient] += 1

    def answer(self, line: int) -> None:
        """Results come for what was sent; for what has one already, the same comes again."""
        for row in self.queues[line]:
            if row.state in ("sent", "answered"):
                row.state = "answered"
                row.answers += 1

    def move(self, line: int) -> None:
        """Rows with a result go to the log of the month."""
        moved = [row for row in self.queues[line] if row.state == "answered"]
        self.logs.setdefault((line, self.month), []).extend(moved)
        self.queues[line] = [row for row in self.queues[line] if row.state != "answered"]

    def restart_agent(self, line: int) -> None:
        """A new agent knows only what the table tells it."""
        self.agents[line] = Agent()

    # ---- invariants

    def broken(self) -> Iterator[str]:
        """The invariants that do not hold now."""
        rows = list(self._all_rows())
        twice = [recipient for recipient, count in Counter(row.recipient for row in rows).items() if count > 1]
        if twice or any(count > 1 for count in Counter(row.person for row in rows).values()):
            yield f"two rows for one recipient: {twice}"
        if any(count > 1 for count in self.sent.values()):
            yield "the carrier was given a message twice"
        there = {row.recipient for row in rows}
        accepted = {number for number, state in self.messages.items() if state in ("accepted", "delivered")}
        if not accepted <= there:
            yield f"accepted without a row: {sorted(accepted - there)}"
        late = [row.person for row in rows if self.refused_at.get(row.person, row.claimed_at) < row.claimed_at]
        if late:
            yield f"handed over after an opt-out that was known: {late}"
        if self.recipients is not None and self.recipients != self.first_freeze:
            yield "the frozen audience has changed"

    def incomplete(self) -> Iterator[str]:
        """What a finished run must not leave behind."""
        yield from self.broken()
        for number in self.recipients or {}:
            state = self.messages.get(number, "unclaimed")
            if state != "withdrawn" and (self.sent[number] != 1 or state != "delivered"):
                yield f"recipient {number} is {state} and was sent {self.sent[number]} times"
        if not self.certificate:
            yield "the books are open"

    # ---- inside

    def _lock(self, session: Session, name: str) -> Steps:
        while self._locks.get(name, session) is not session:
            yield None
        self._locks[name] = session
        session.locks.add(name)

    def _unlock(self, session: Session, name: str) -> None:
        if name in session.locks:
            session.locks.remove(name)
            del self._locks[name]

    def _seqno(self, line: int) -> int:
        self._next[line] += 1
        return self._next[line] - 1

    def _claim(self, chunk: Chunk) -> None:
        assert self.recipients is not None
        for number in chunk.recipients:
            if number in self.recipients:
                self.messages.setdefault(number, "pending")
                if self.messages[number] == "pending" and self.recipients[number] in self.refused_at:
                    self.messages[number] = "withdrawn"

    def _batch(self, chunk: Chunk) -> list[tuple[int, str]]:
        assert self.recipients is not None
        return [
            (number, self.recipients[number])
            for number in chunk.recipients
            if number in self.recipients and (self.messages.get(number) == "pending" or not self.guards.claim)
        ]

    def _accept(self, chunk: Chunk, handed_over: int) -> None:
        if chunk.state != "planned":
            return
        if not self.guards.claim:
            self._claim(chunk)
        pending = [number for number in chunk.recipients if self.messages.get(number) == "pending"]
        if len(pending) != handed_over:
            raise Broken(f"chunk {chunk.number}: the line took {handed_over}, {len(pending)} are claimed")
        for number in pending:
            self.messages[number] = "accepted"
        chunk.state, chunk.accepted, chunk.accepted_in = "accepted", handed_over, self.month
        if not pending:
            chunk.state = "final"

    def _rows_of(self, chunk: Chunk) -> list[Row]:
        handed_over = self.markers.get(chunk.number, (0, 0))[1]
        since = handed_over if self.guards.month else chunk.accepted_in
        tables = [self.queues[chunk.line]]
        tables += [rows for (line, month), rows in self.logs.items() if line == chunk.line and month >= since]
        return [row for table in tables for row in table if row.chunk == chunk.number]

    def _all_rows(self) -> Iterator[Row]:
        for table in [*self.queues.values(), *self.logs.values()]:
            yield from table

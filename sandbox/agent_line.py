"""One line's agent: the protocol of the carrier's relay agent, on one queue table.

What it does with a row, one committed transaction for each arrow, in batches::

    1 waiting ──► 2 in work ──► 3 handed to the relay ──► 4 result received ──► 5 moved to this month's log
                                (SANDBOX_SENT: the
                                carrier's own memory)

It keeps a watermark: rows are looked for above the highest ``seqno`` it has seen, never below, so a row that becomes
visible late is never sent. That is the real agent's behaviour, and the reason why writers take turns. The read is a
plain snapshot read; a locking one would wait for open transactions and hide the writers' mistake.

Rows for the future are seen once, remembered and looked at again when they are due. A new agent starts from watermark
0: what is waiting is sent, what an earlier one had in work is continued where it stood and not handed over again.
"""

import heapq
import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import MySQLdb
from MySQLdb.connections import Connection

from include.delivery.line_connection import connect_line
from include.delivery.line_schema import queue_table

log = logging.getLogger(__name__)

BATCH = 5_000
LOOK_AGAIN = 30.0
"""Longest time until a row for the future is looked at again: somebody may have moved it forward."""
RUNS_IN_ONE_STATEMENT = 200

SENT_TABLE = """
CREATE TABLE IF NOT EXISTS SANDBOX_SENT (
    sent_id  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    line     SMALLINT        NOT NULL,
    seqno    BIGINT UNSIGNED NOT NULL,
    app_etc1 VARCHAR(64)     NULL,
    dest_no  VARCHAR(20)     NOT NULL,
    sent_at  DATETIME(6)     NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
"""


@dataclass
class Batch:
    """Rows that walk together: their numbers, the state they are in and when they may go on."""

    state: str
    seqnos: list[int]
    due: float = 0.0


@dataclass
class LineState:
    """What an agent remembers while it lives; a lost connection does not change it."""

    watermark: int = 0
    batches: deque[Batch] = field(default_factory=deque)
    reserved: list[tuple[float, int]] = field(default_factory=list)
    taken: int = 0
    moved: int = 0


class LineAgent:
    """The agent of one line. Not thread-safe: whoever runs it calls :meth:`turn` from one thread.

    :param outcome: SQL expression for a row's result code.
    :param delay: seconds a row stays in each state.
    :param session: a statement for every new connection, for tests that shift the server's clock.
    """

    def __init__(self, url: str, line: int, outcome: str, *, delay: float = 0.0, session: str = "") -> None:
        self.line, self.table = line, queue_table(line)
        self.delay, self.frozen = delay, False
        self.state = LineState()
        self._url, self._outcome, self._session = url, outcome, session
        self._conn: Connection | None = None
        self.thread_id: int | None = None
        """The server's number of the connection, for other threads: a connection bears only one at a time."""

    @property
    def in_work(self) -> int:
        """Rows taken and not yet moved."""
        return sum(len(batch.seqnos) for batch in list(self.state.batches))

    @property
    def walking(self) -> bool:
        """Whether a batch is on its way and not held back by a freeze."""
        return any(not self.frozen or batch.state != "3" for batch in list(self.state.batches))

    def connect(self) -> None:
        """Open the connection, and take up what an earlier one left in the table."""
        conn = connect_line(self._url, read_timeout=60, write_timeout=60)
        try:
            with conn.cursor() as cursor:
                # No gap locks: an agent must not make the writers of its table wait.
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
                if self._session:
                    cursor.execute(self._session)
                # Two agents on one table would send everything twice.
                cursor.execute("SELECT GET_LOCK(CONCAT(DATABASE(), '.agent.', %s), 10)", (self.line,))
                row = cursor.fetchone()
                if row is None or row[0] != 1:
                    raise MySQLdb.OperationalError(1205, f"Another agent works on {self.table}")
                cursor.execute(SENT_TABLE)
                # A commit whose answer was lost may or may not have happened: the table knows.
                self.state.batches.clear()
                cursor.execute(
                    f"SELECT rsv1, seqno FROM {self.table} WHERE seqno <= %s AND rsv1 > '1' ORDER BY seqno",
                    (self.state.watermark,),
                )
                self._enqueue(cursor.fetchall())
            conn.commit()
        except BaseException:
            conn.close()
            raise
        self._conn, self.thread_id = conn, int(conn.thread_id())
        name = "" if self.line == 1 else str(self.line)
        log.info("line %d: bind ack, deliver=targetai%s_m report=targetai%s_r", self.line, self.line, name)

    def disconnect(self) -> None:
        """Close the connection; the memory stays."""
        conn, self._conn, self.thread_id = self._conn, None, None
        if conn is not None:
            with suppress(MySQLdb.Error):  # it may be lost already
                conn.close()

    def turn(self, allowance: int) -> int:
        """Take at most ``allowance`` new rows, and move every batch that is due one state on.

        :returns: how many rows it looked at or moved on; 0 means there is nothing to do right now.
        """
        if self._conn is None:
            self.connect()
        changed = 0
        taken = self._take(min(allowance, BATCH)) if allowance > 0 else 0
        now = time.monotonic()
        for _ in range(len(self.state.batches)):
            batch = self.state.batches[0]
            if batch.due > now or (self.frozen and batch.state == "3"):
                self.state.batches.rotate(-1)
                continue
            changed += len(batch.seqnos)
            self._advance(batch)
            # Only now: an error leaves the batch where it is.
            self.state.batches.popleft()
            if batch.state != "5":
                batch.due = now + self.delay
                self.state.batches.append(batch)
        return changed + taken

    def _take(self, limit: int) -> int:
        """Look above the watermark, and at remembered rows that are due now; mark what is free as in work."""
        columns = "rsv1, seqno, TIMESTAMPDIFF(MICROSECOND, NOW(6), sendreq_time) / 1000000"
        with self._cursor() as cursor:
            cursor.execute(
                f"SELECT {columns} FROM {self.table} WHERE seqno > %s ORDER BY seqno LIMIT %s",
                (self.state.watermark, limit),
            )
            rows = list(cursor.fetchall())
            highest = rows[-1][1] if rows else self.state.watermark
            again = self._due_again(limit)
            if again:
                cursor.execute(
                    f"SELECT {columns} FROM {self.table} WHERE rsv1 = '1' AND seqno IN ({','.join(map(str, again))})"
                )
                rows += cursor.fetchall()
            if not rows:
                self._commit()
                return 0
            now = time.monotonic()
            waiting = [
                (now + min(float(wait), LOOK_AGAIN), seqno) for rsv1, seqno, wait in rows if rsv1 == "1" and wait > 0
            ]
            free = [seqno for rsv1, seqno, wait in rows if rsv1 == "1" and wait <= 0]
            for where in _conditions(free):
                cursor.execute(f"UPDATE {self.table} SET rsv1 = '2' WHERE ({where}) AND rsv1 = '1'")
            self._commit()
        self.state.taken += len(free)
        # The memory changes only after the commit, so that a lost connection repeats the look.
        self.state.watermark = highest
        for _ in again:
            heapq.heappop(self.state.reserved)
        for item in waiting:
            heapq.heappush(self.state.reserved, item)
        # a row at 5 is finished and waits for nobody
        self._enqueue([(rsv1, seqno) for rsv1, seqno, _ in rows if "1" < rsv1 < "5"])
        if free:
            self.state.batches.append(Batch("2", free, now + self.delay))
        return len(rows)

    def _due_again(self, limit: int) -> list[int]:
        now = time.monotonic()
        if not self.state.reserved or self.state.reserved[0][0] > now:
            return []
        smallest = heapq.nsmallest(limit, self.state.reserved)
        return [seqno for due, seqno in smallest if due <= now]

    def _advance(self, batch: Batch) -> None:
        """One state on, in one transaction."""
        step = {"2": self._hand_over, "3": self._receive, "4": self._move}[batch.state]
        with self._cursor() as cursor:
            for where in _conditions(batch.seqnos):
                step(cursor, where)
            self._commit()
        batch.state = str(int(batch.state) + 1)
        if batch.state == "5":
            self.state.moved += len(batch.seqnos)

    def _hand_over(self, cursor: MySQLdb.cursors.Cursor, where: str) -> None:
        cursor.execute(
            "INSERT INTO SANDBOX_SENT (line, seqno, app_etc1, dest_no)"
            f" SELECT {self.line}, seqno, app_etc1, dest_no FROM {self.table} WHERE ({where}) AND rsv1 = '2'"
        )
        cursor.execute(f"UPDATE {self.table} SET rsv1 = '3', mobsend_time = NOW() WHERE ({where}) AND rsv1 = '2'")

    def _receive(self, cursor: MySQLdb.cursors.Cursor, where: str) -> None:
        cursor.execute(
            f"UPDATE {self.table} SET rsv1 = '4', status_code = {self._outcome}, repmsg_recvtm = NOW()"
            f" WHERE ({where}) AND rsv1 = '3'"
        )

    def _move(self, cursor: MySQLdb.cursors.Cursor, where: str) -> None:
        cursor.execute("SELECT DATE_FORMAT(NOW(), '%Y%m')")
        month = cursor.fetchone()
        names = (
            "seqno, dest_no, call_back, subject, msg_contents, msg_type, sendreq_time, status_code, rsv1, app_etc1,"
            " app_etc2, mobsend_time, repmsg_recvtm, file_name1, file_name2, file_name3, k_template_code, k_next_type"
        )
        cursor.execute(
            f"INSERT INTO {self.table}_{month[0]} ({names})"
            f" SELECT {names.replace('rsv1', '5')} FROM {self.table} WHERE ({where}) AND rsv1 = '4'"
        )
        cursor.execute(f"DELETE FROM {self.table} WHERE ({where}) AND rsv1 = '4'")

    def _enqueue(self, rows: Iterable[tuple[str, int]]) -> None:
        """Continue rows that are already on their way, each where it stands."""
        by_state: dict[str, list[int]] = {}
        for rsv1, seqno in rows:
            by_state.setdefault(rsv1, []).append(seqno)
        for state, seqnos in sorted(by_state.items()):
            for start in range(0, len(seqnos), BATCH):
                self.state.batches.append(Batch(state, seqnos[start : start + BATCH]))

    def _cursor(self) -> MySQLdb.cursors.Cursor:
        assert self._conn is not None
        return self._conn.cursor()

    def _commit(self) -> None:
        assert self._conn is not None
        self._conn.commit()


def _conditions(seqnos: Sequence[int]) -> Iterable[str]:
    """SQL conditions that hold for exactly ``seqnos``, as few ranges as they make.

    A range only ever covers the batch's own rows: a row of another, still open transaction inside it would make the
    statement wait, and then take a row that the agent has not seen.
    """
    runs: list[tuple[int, int]] = []
    for seqno in sorted(seqnos):
        if runs and seqno == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], seqno)
        else:
            runs.append((seqno, seqno))
    for start in range(0, len(runs), RUNS_IN_ONE_STATEMENT):
        some = runs[start : start + RUNS_IN_ONE_STATEMENT]
        yield " OR ".join(f"seqno BETWEEN {low} AND {high}" if low < high else f"seqno = {low}" for low, high in some)

"""Why writers of one line take turns: an agent that polls by watermark never looks below the highest seqno it saw."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from MySQLdb.connections import Connection

from include.delivery.chunks import Chunk
from include.delivery.line import Line, QueueRows, queue_row
from include.delivery.line_schema import log_tables
from sandbox.agent import AgentFleet
from tests.line.rows import queued, sent, until, write_rows

Connect = Callable[[], Connection]
HandOver = Callable[[Connection, int], None]

CHUNKS, CHUNK_ROWS = 8, 5_000


@dataclass
class SlowCommit:
    """A connection whose commit comes late, as on a busy server: the transaction stays open for a while."""

    real: Connection
    seconds: float

    def commit(self) -> None:
        time.sleep(self.seconds)
        self.real.commit()

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


def plain_sql(conn: Connection, chunk_no: int) -> None:
    """The protocol in plain SQL: the lock from before the first insert to after the commit."""
    with conn.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('SMSQ_SEND_1', 60)")
        assert cursor.fetchone() == (1,)
        without_lock(conn, chunk_no)
        cursor.execute("DO RELEASE_LOCK('SMSQ_SEND_1')")


def without_lock(conn: Connection, chunk_no: int) -> None:
    """The same hand-over, but nobody takes turns."""
    write_rows(conn, 1, range(chunk_no * CHUNK_ROWS, (chunk_no + 1) * CHUNK_ROWS), commit=False)
    conn.commit()


def the_products(conn: Connection, chunk_no: int) -> None:
    """The product's own hand-over."""
    first = chunk_no * CHUNK_ROWS
    chunk = Chunk(1, 0, chunk_no, first, first + CHUNK_ROWS - 1, 1, "SMSQ_SEND_1", "planned", 0, 0, 0)
    messages = [
        queue_row(f"010{number:08d}", "0212345678", None, "hello", "S", f"1.0.{number}")
        for number in range(first, first + CHUNK_ROWS)
    ]
    rows = QueueRows()
    rows.add("".join(messages).encode(), len(messages))
    Line(conn, chunk.table_name).hand_over(chunk, rows)


def hand_over_at_once(connect: Connect, hand_over: HandOver, conn: Connection, line_url: str) -> Counter[str]:
    """Eight writers hand a chunk each to one table while its agent polls; how often the carrier got each message.

    The first writers commit last: with no lock, their lower numbers become visible after higher ones.
    """
    together = threading.Barrier(CHUNKS)
    problems: list[BaseException] = []

    def write(chunk_no: int, writer: Connection) -> None:
        try:
            together.wait()
            hand_over(SlowCommit(writer, 0.05 * (CHUNKS - chunk_no)), chunk_no)
        except BaseException as problem:
            problems.append(problem)
            raise

    threads = [threading.Thread(target=write, args=(number, connect())) for number in range(CHUNKS)]
    with AgentFleet(line_url, [1], speed=1e9, poll=0.005) as agents:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        last = last_seqno(conn)
        # Rows that were overlooked stay, below what the agent has seen; the others are moved.
        until(lambda: agents.status()["1"]["watermark"] == last and queued(conn, 1).keys() <= {"1"})
    assert not problems
    return Counter(sent(conn))


def last_seqno(conn: Connection) -> int:
    """The highest number that the queue or its logs hold."""
    found = 0
    for table in ("SMSQ_SEND_1", *log_tables(conn, 1)):
        with conn.cursor() as cursor:
            cursor.execute(f"SELECT coalesce(max(seqno), 0) FROM {table}")
            found = max(found, int(cursor.fetchone()[0]))
    conn.rollback()
    return found


@pytest.mark.parametrize("hand_over", [plain_sql, the_products])
def test_with_the_lock_the_agent_gets_every_row(hand_over: HandOver, connect: Connect, line_url: str) -> None:
    got = hand_over_at_once(connect, hand_over, connect(), line_url)
    assert got == Counter({f"1.0.{number}": 1 for number in range(CHUNKS * CHUNK_ROWS)})


def test_without_the_lock_the_same_writers_lose_rows(connect: Connect, line_url: str) -> None:
    conn = connect()
    got = hand_over_at_once(connect, without_lock, conn, line_url)
    missing = CHUNKS * CHUNK_ROWS - len(got)
    assert missing > 0
    assert queued(conn, 1) == {"1": missing}


def test_a_lower_number_that_commits_later_is_never_sent(connect: Connect, line_url: str) -> None:
    """The loss in its smallest form, with nothing left to chance."""
    slow, fast, conn = connect(), connect(), connect()
    with AgentFleet(line_url, [1], poll=0.01) as agents:
        write_rows(slow, 1, range(10), commit=False)
        write_rows(fast, 1, range(10, 20))
        until(lambda: len(sent(conn)) == 10)
        slow.commit()
        time.sleep(0.3)
        assert sent(conn) == [f"1.0.{number}" for number in range(10, 20)]
        assert queued(conn, 1) == {"1": 10}
        # A restarted agent begins at watermark 0: that is how operators get such rows out.
        agents.restart()
        until(lambda: not queued(conn, 1))
    assert Counter(sent(conn)) == Counter(f"1.0.{number}" for number in range(20))

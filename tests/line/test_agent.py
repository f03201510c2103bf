"""The carrier's stand-in, on a real server: what it promises to the product's tests."""

import time
from collections import Counter
from collections.abc import Callable

import pytest
from MySQLdb.connections import Connection

from include.delivery.line_schema import log_table, log_tables
from sandbox.agent import AgentFleet, line_numbers
from sandbox.control import ControlServer, send
from sandbox.outcomes import DEFAULT_MIX, Outcomes
from tests.line.rows import logged, queued, sent, until, write_rows

Connect = Callable[[], Connection]


@pytest.fixture
def conn(connect: Connect) -> Connection:
    """A connection that looks at the tables."""
    return connect()


def fleet(url: str, lines: tuple[int, ...] = (1,), *, delay: float = 0.0, session: str = "") -> AgentFleet:
    """Agents that poll often, so that tests are short."""
    return AgentFleet(url, lines, delay=delay, poll=0.02, session=session)


def keys(numbers: range) -> list[str]:
    """The message keys that ``write_rows`` gives."""
    return [f"1.0.{number}" for number in numbers]


def test_a_row_walks_through_all_states(line_url: str, conn: Connection) -> None:
    write_rows(conn, 1, range(50))
    seen: list[str] = []

    def is_done() -> bool:
        states = queued(conn, 1)
        seen.extend(states)
        return not states

    with fleet(line_url, delay=0.15):
        until(is_done)
    assert list(dict.fromkeys(seen)) == ["1", "2", "3", "4"]
    with conn.cursor() as cursor:
        table = logged(conn, 1)["01000000000"][0]
        cursor.execute(
            f"SELECT COUNT(*), MIN(rsv1), MAX(rsv1), MAX(status_code = 100), MIN(mobsend_time >= sendreq_time),"
            f" MIN(repmsg_recvtm >= mobsend_time) FROM {table}"
        )
        assert cursor.fetchone() == (50, "5", "5", 0, 1, 1)
    assert sent(conn) == keys(range(50))


def test_results_follow_from_seed_and_number(line_url: str, conn: Connection) -> None:
    numbers = range(20_000, 40_000)
    write_rows(conn, 1, numbers)
    for line, kind in ((2, "L"), (3, "K")):
        write_rows(conn, line, range(200), kind=kind)
    with AgentFleet(line_url, (1, 2, 3), seed=7, poll=0.02):
        until(lambda: not any(queued(conn, line) for line in (1, 2, 3)))
    wanted = Outcomes.of(DEFAULT_MIX, seed=7)
    found = {number: code for number, (_, code, _) in logged(conn, 1).items()}
    assert found == {f"010{n:08d}": wanted.code(f"010{n:08d}") for n in numbers}
    counts = Counter(found.values())
    assert counts[6] / len(numbers) == pytest.approx(0.93, abs=0.01)
    assert counts[7] / len(numbers) == pytest.approx(0.03, abs=0.005)
    assert {code for _, code, _ in logged(conn, 2).values()} - {7, 8, 16, 99} == {1000}
    assert {code for _, code, _ in logged(conn, 3).values()} - {7, 8, 16, 99} == {1800}
    assert Outcomes.of(DEFAULT_MIX, seed=8).steps == wanted.steps
    assert found != {number: Outcomes.of(DEFAULT_MIX, seed=8).code(number) for number in found}


def test_a_row_for_the_future_waits_and_is_not_lost(line_url: str, conn: Connection) -> None:
    write_rows(conn, 1, range(5), wait=10)
    write_rows(conn, 1, range(10, 15))
    with fleet(line_url) as agents:
        until(lambda: len(sent(conn)) == 5)
        assert sent(conn) == keys(range(10, 15))
        assert queued(conn, 1) == {"1": 5}
        assert agents.status()["1"]["reserved"] == 5
        until(lambda: not queued(conn, 1))
    assert sorted(sent(conn)) == sorted(keys(range(5)) + keys(range(10, 15)))


def test_a_finished_row_goes_to_the_log_of_the_month_it_is_moved_in(line_url: str, conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute("SELECT UNIX_TIMESTAMP(DATE_FORMAT(NOW() + INTERVAL 1 MONTH, '%Y-%m-01 00:00:05'))")
        next_month = int(cursor.fetchone()[0])
    this, following = log_tables(conn, 1)[:2]
    write_rows(conn, 1, range(3))
    with fleet(line_url):
        until(lambda: not queued(conn, 1))
    write_rows(conn, 1, range(10, 14))
    with fleet(line_url, session=f"SET timestamp = {next_month}"):
        until(lambda: not queued(conn, 1))
    assert Counter(table for table, _, _ in logged(conn, 1).values()) == {this: 3, following: 4}


def test_a_missing_log_table_holds_rows_back_until_it_exists(line_url: str, conn: Connection) -> None:
    month = "203701"
    write_rows(conn, 1, range(3))
    with fleet(line_url, session="SET timestamp = UNIX_TIMESTAMP('2037-01-05')") as agents:
        until(lambda: "1146" in str(agents.status()["1"]["problem"]))
        assert queued(conn, 1) == {"4": 3}
        with conn.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {log_table(1, month)} LIKE {log_tables(conn, 1)[0]}")
        until(lambda: not queued(conn, 1))
    assert len(logged(conn, 1)) == len(sent(conn)) == 3
    with conn.cursor() as cursor:
        cursor.execute(f"DROP TABLE {log_table(1, month)}")


@pytest.mark.parametrize("switch", ["restart", "cut"])
def test_nothing_is_lost_or_sent_twice_when_an_agent(switch: str, line_url: str, conn: Connection) -> None:
    numbers = range(30_000)
    with fleet(line_url, (1, 2), delay=0.02) as agents:
        for part in range(6):
            for line in (1, 2):
                write_rows(conn, line, [n for n in numbers if n % 2 == line - 1 and n % 6 == part])
            getattr(agents, switch)()
        for _ in range(10):
            time.sleep(0.03)
            getattr(agents, switch)([1])
        until(lambda: not queued(conn, 1) and not queued(conn, 2))
    assert Counter(sent(conn)) == Counter(keys(numbers))
    assert len(logged(conn, 1)) + len(logged(conn, 2)) == len(numbers)


def test_a_new_agent_continues_what_the_old_one_had_in_work(line_url: str, conn: Connection) -> None:
    write_rows(conn, 1, range(20))
    with conn.cursor() as cursor:
        for state, first, last in ((2, 0, 4), (3, 5, 9), (4, 10, 14)):
            cursor.execute(
                f"UPDATE SMSQ_SEND_1 SET rsv1 = {state} WHERE dest_no BETWEEN '010{first:08d}' AND '010{last:08d}'"
            )
    conn.commit()
    with fleet(line_url):
        until(lambda: not queued(conn, 1))
    assert len(logged(conn, 1)) == 20
    # What the carrier has already got is not sent again.
    assert sorted(sent(conn)) == sorted(keys(range(5)) + keys(range(15, 20)))


def test_a_frozen_agent_hands_over_but_brings_no_result(line_url: str, conn: Connection) -> None:
    write_rows(conn, 1, range(5))
    with fleet(line_url) as agents:
        agents.freeze()
        write_rows(conn, 1, range(10, 15))
        until(lambda: queued(conn, 1).get("3", 0) >= 5)
        time.sleep(0.2)
        assert queued(conn, 1).get("3", 0) >= 5
        agents.start()
        until(lambda: not queued(conn, 1))


def test_a_stopped_agent_leaves_the_table_alone_and_a_slow_one_takes_its_time(line_url: str, conn: Connection) -> None:
    with fleet(line_url) as agents:
        agents.stop()
        write_rows(conn, 1, range(300))
        time.sleep(0.2)
        assert queued(conn, 1) == {"1": 300}
        agents.slow(200)
        started = time.monotonic()
        agents.start()
        until(lambda: not queued(conn, 1))
        assert time.monotonic() - started > 0.9


def test_the_switches_work_from_outside(
    line_url: str, conn: Connection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    address = str(tmp_path_factory.mktemp("c") / "s")
    with fleet(line_url, (1, 2)) as agents:
        server = ControlServer(address, agents)
        server.start()
        try:
            assert send(address, "stop", "2")["lines"]["2"]["running"] is False
            assert send(address, "slow", "500", "1")["lines"]["1"]["speed"] == 500
            assert "lines" in send(address, "cut", "1")
            assert send(address, "cut", "9") == {"error": "There is no agent for line 9; there are 1, 2."}
            assert "one of start, stop" in str(send(address, "explode")["error"])
            assert send(address, "restart")["lines"]["2"]["running"] is True
        finally:
            server.stop()


def test_line_numbers() -> None:
    assert line_numbers("1-3,11") == [1, 2, 3, 11]

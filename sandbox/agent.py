"""The carrier's agents, one per line, in one process: ``python -m sandbox.agent --lines 1-11``. The lines'
database is ``BONGSU_LINE_URL``: a password has no place among the arguments, which everybody on the machine can read.

Owns the threads, the speed limit, and the switches by which tests and people make an agent fail: stop it, slow it down,
restart it, cut its connection, or freeze it (it hands over, but no result comes back). ``python -m sandbox.control``
throws them from outside.
"""

import argparse
import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import MySQLdb

from include.delivery.line_connection import connect_line
from include.errors import Unavailable
from include.settings import settings
from sandbox.agent_line import LineAgent, LineState
from sandbox.control import ControlServer
from sandbox.outcomes import DEFAULT_MIX, Outcomes

log = logging.getLogger(__name__)

SPEED = 20_000.0
POLL = 0.5
"""Seconds between two looks at a table in which nothing happens."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0


class AgentThread:
    """One line's agent, kept alive: it reconnects after a lost connection, as the carrier's does."""

    def __init__(self, make: Callable[[], LineAgent], url: str, speed: float, poll: float) -> None:
        self._make, self._url, self._poll = make, url, poll
        self.speed = speed
        self.agent = make()
        self.problem = ""
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether the agent is up, connected or not."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the agent as a new process would: with nothing but the table to remember."""
        if self.running:
            return
        frozen, moved = self.agent.frozen, self.agent.state.moved
        self.agent = self._make()
        self.agent.frozen, self.agent.state = frozen, LineState(moved=moved)
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name=f"line-{self.agent.line}", daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Tell the thread to end after the transaction it is in."""
        self._ending.set()

    def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def cut(self) -> None:
        """Kill the agent's connection on the server, whatever it is doing there."""
        number = self.agent.thread_id
        if number is None:
            return
        with connect_line(self._url) as conn, conn.cursor() as cursor, suppress(MySQLdb.OperationalError):
            cursor.execute("KILL CONNECTION %s", (number,))

    def _run(self) -> None:
        wait, tokens, last = FIRST_WAIT, 0.0, time.monotonic()
        while not self._ending.is_set():
            now = time.monotonic()
            # At most half a second's worth is saved up, so the speed holds for any stretch of time.
            tokens = min(tokens + (now - last) * self.speed, max(self.speed / 2, 1.0))
            last = now
            before = self.agent.state.taken
            try:
                changed = self.agent.turn(int(tokens))
            except (MySQLdb.Error, Unavailable) as error:
                self.agent.disconnect()
                # The number of the error only: its text may quote a row.
                self.problem = f"{type(error).__name__} {error.args[0] if isinstance(error, MySQLdb.Error) else error}"
                log.warning("line %d: %s; again in %.1f s", self.agent.line, self.problem, wait)
                self._ending.wait(wait)
                wait = min(wait * 2, LONGEST_WAIT)
                continue
            wait, self.problem = FIRST_WAIT, ""
            tokens -= self.agent.state.taken - before
            if not changed:
                # Rows in work wait for their delay; without any, only a new row can be next.
                self._ending.wait(min(self._poll, self.agent.delay or 0.05) if self.agent.walking else self._poll)
        self.agent.disconnect()


class AgentFleet:
    """The agents of several lines and their switches.

    :param url: the lines' database.
    :param speed: rows a second and line.
    :param mix: weights of the result codes; 6 stands for success of any message type.
    :param seed: decides, with the number, who gets which result.
    :param delay: seconds a row stays in each state.
    :param session: a statement for every new connection, for tests that shift the server's clock.
    """

    def __init__(
        self,
        url: str,
        lines: Sequence[int],
        *,
        speed: float = SPEED,
        mix: Mapping[int, float] = DEFAULT_MIX,
        seed: int = 0,
        delay: float = 0.0,
        poll: float = POLL,
        session: str = "",
    ) -> None:
        outcome = Outcomes.of(mix, seed).sql

        def maker(line: int) -> Callable[[], LineAgent]:
            return lambda: LineAgent(url, line, outcome, delay=delay, session=session)

        self._threads = {line: AgentThread(maker(line), url, speed, poll) for line in lines}

    def start(self, lines: Sequence[int] = ()) -> None:
        """Start the agents that do not run, and let results come back again."""
        for thread in self._some(lines):
            thread.agent.frozen = False
            thread.start()

    def stop(self, lines: Sequence[int] = ()) -> None:
        """Stop the agents after the transaction each is in; they forget everything."""
        for thread in self._some(lines):
            thread.ask_to_stop()
        for thread in self._some(lines):
            thread.join()

    def restart(self, lines: Sequence[int] = ()) -> None:
        """Stop and start: a new agent knows only what the table tells it."""
        self.stop(lines)
        for thread in self._some(lines):
            thread.start()

    def slow(self, speed: float, lines: Sequence[int] = ()) -> None:
        """Take at most ``speed`` rows a second and line from now on."""
        for thread in self._some(lines):
            thread.speed = speed

    def cut(self, lines: Sequence[int] = ()) -> None:
        """Kill the agents' connections; they come back by themselves."""
        for thread in self._some(lines):
            thread.cut()

    def freeze(self, lines: Sequence[int] = ()) -> None:
        """Messages are handed over, but no result comes back until the next ``start``."""
        for thread in self._some(lines):
            thread.agent.frozen = True

    def status(self) -> dict[str, dict[str, object]]:
        """What each agent is doing, by line."""
        return {
            str(line): {
                "running": thread.running,
                "connected": thread.agent.thread_id is not None,
                "speed": thread.speed,
                "frozen": thread.agent.frozen,
                "watermark": thread.agent.state.watermark,
                "in_work": thread.agent.in_work,
                "reserved": len(thread.agent.state.reserved),
                "moved": thread.agent.state.moved,
                "problem": thread.problem,
            }
            for line, thread in self._threads.items()
        }

    def __enter__(self) -> "AgentFleet":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _some(self, lines: Sequence[int]) -> list[AgentThread]:
        unknown = [line for line in lines if line not in self._threads]
        if unknown:
            raise ValueError(
                f"There is no agent for line {unknown[0]}; there are {', '.join(map(str, self._threads))}."
            )
        return [thread for line, thread in self._threads.items() if not lines or line in lines]


def line_numbers(text: str) -> list[int]:
    """``1-3,11`` as numbers."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the agents until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.agent", description="Stand-ins for the carrier's agents.")
    parser.add_argument("--lines", default="1-11", type=line_numbers, help="such as 1-3,11")
    parser.add_argument("--speed", default=SPEED, type=float, help="rows a second and line (%(default)s)")
    parser.add_argument("--mix", default=",".join(f"{code}={weight}" for code, weight in DEFAULT_MIX.items()))
    parser.add_argument("--seed", default=0, type=int, help="decides who gets which result")
    parser.add_argument("--delay", default=0.0, type=float, help="seconds a row stays in each state")
    parser.add_argument("--poll", default=POLL, type=float, help="seconds between two looks at an empty table")
    parser.add_argument("--control", help="Unix socket (a path) or TCP port of 127.0.0.1 that takes orders")
    options = parser.parse_args(arguments)
    if not settings().line_url:
        parser.error("BONGSU_LINE_URL is not set; it is mysql://user:password@host:port/database")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    fleet = AgentFleet(
        settings().line_url,
        options.lines,
        speed=options.speed,
        mix=Outcomes.weights(options.mix),
        seed=options.seed,
        delay=options.delay,
        poll=options.poll,
    )
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    control = ControlServer(options.control, fleet) if options.control else None
    fleet.start()
    if control is not None:
        control.start()
    ending.wait()
    if control is not None:
        control.stop()
        with suppress(FileNotFoundError):
            Path(options.control).unlink()
    fleet.stop()


if __name__ == "__main__":
    main()

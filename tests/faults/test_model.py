"""Hypothesis looks for an order of events that breaks the protocol's model; without a safeguard it finds one."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults.model import Broken, Guards, Session, Steps, World

PEOPLE = [f"p{number}" for number in range(4)]
LINES = 2
MOST_RUNNING = 3
ROUNDS = 200
CALM = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
HUNT = settings(CALM, max_examples=2_000, phases=[Phase.generate])

line_numbers = st.integers(0, LINES - 1)
picks = st.integers(0, 9)


class Protocol(RuleBasedStateMachine):
    """Any order of tasks, steps, crashes, clears, refusals, receipts, agents and months."""

    guards = Guards()
    crowded = False
    """Begin with a chunk a person, all on one line, and do nothing but write and poll: of all orders, few have two
    writers meet."""

    @initialize(chunk_size=st.integers(1, 3), lines=st.integers(1, LINES), planned=st.booleans())
    def begin(self, chunk_size: int, lines: int, planned: bool) -> None:
        if self.crowded:
            chunk_size, lines, planned = 1, 1, True
        self.lines = lines
        self.world = World(PEOPLE, chunk_size, lines, self.guards)
        self.running: list[tuple[Session, Steps]] = []
        if planned:
            self._run(self.world.freeze)
            self._run(self.world.plan)

    # ---- Airflow: starts tasks, tries them again, runs cleared ones once more

    def _start(self, task: Callable[[Session], Steps]) -> None:
        session = Session()
        self.running.append((session, task(session)))

    def _may_start(self) -> bool:
        return len(self.running) < MOST_RUNNING

    @precondition(lambda self: self._may_start() and not self.crowded)
    @rule(task=st.sampled_from(["freeze", "plan", "collect", "close_books"]))
    def start(self, task: str) -> None:
        world = self.world
        possible = {
            "freeze": True,
            "plan": world.recipients is not None,
            "collect": bool(world.chunks),
            "close_books": bool(world.chunks) and all(chunk.state == "final" for chunk in world.chunks.values()),
        }
        if possible[task]:
            self._start(getattr(world, task))

    @precondition(lambda self: self._may_start() and self.world.chunks)
    @rule(pick=picks)
    def dispatch(self, pick: int) -> None:
        number = pick % len(self.world.chunks) + 1
        self._start(lambda session: self.world.dispatch(session, number))

    @precondition(lambda self: self.running)
    @rule(pick=picks, steps=st.integers(1, 6))
    def step(self, pick: int, steps: int) -> None:
        self._step(self.running[pick % len(self.running)], steps)

    @precondition(lambda self: self.running)
    @rule(pick=picks)
    def crash(self, pick: int) -> None:
        session, task = self.running.pop(pick % len(self.running))
        task.close()
        self.world.end(session)

    # ---- everybody else

    @precondition(lambda self: not self.crowded)
    @rule(person=st.sampled_from(PEOPLE))
    def refuse(self, person: str) -> None:
        self.world.refuse(person)

    @rule(line=line_numbers, what=st.sampled_from([["poll"], ["answer"], ["move"], ["poll", "answer", "move"]]))
    def carrier(self, line: int, what: list[str]) -> None:
        """The agent looks; results come, late or early, and again where there is one; finished rows go to the log."""
        for part in what:
            getattr(self.world, part)(line % self.lines)

    @precondition(lambda self: not self.crowded)
    @rule(line=line_numbers)
    def restart_agent(self, line: int) -> None:
        self.world.restart_agent(line % self.lines)

    @precondition(lambda self: not self.crowded)
    @rule()
    def next_month(self) -> None:
        self.world.month += 1

    # ---- what must hold

    @invariant()
    def nothing_is_broken(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.tick += 1
        for what in self.world.broken():
            raise Broken(what)

    def teardown(self) -> None:
        """No more faults: what is left is tried until the run is finished, with the agents that there are."""
        if not hasattr(self, "world"):
            return
        while self.running:
            for one in list(self.running):
                self._step(one, 1)
        world = self.world
        self._run(world.freeze)
        self._run(world.plan)
        for number in list(world.chunks):
            self._run(partial(world.dispatch, number=number))
        for _ in range(2):
            for line in range(self.lines):
                world.poll(line)
                world.answer(line)
                world.move(line)
            self._run(world.collect)
        self._run(world.close_books)
        for what in world.incomplete():
            raise Broken(what)

    def _step(self, one: tuple[Session, Steps], steps: int) -> None:
        session, task = one
        for _ in range(steps):
            try:
                next(task)
            except StopIteration:
                self.running.remove(one)
                self.world.end(session)
                return

    def _run(self, task: Callable[[Session], Steps]) -> None:
        session = Session()
        for count, _ in enumerate(task(session)):
            if count > ROUNDS:
                raise Broken("a lock is never free")
        self.world.end(session)


def without(safeguard: str) -> type[Protocol]:
    """The same machine, one safeguard short."""
    return type("Weakened", (Protocol,), {"guards": Guards(**{safeguard: False}), "crowded": safeguard == "lock"})


@pytest.mark.parametrize("crowded", [False, True])
def test_no_order_of_events_breaks_the_protocol(crowded: bool) -> None:
    run_state_machine_as_test(type("Whole", (Protocol,), {"crowded": crowded}), settings=CALM)


@pytest.mark.parametrize("safeguard", ["marker", "lock", "claim", "freeze", "month"])
def test_without_a_safeguard_an_order_that_breaks_it_is_found(safeguard: str) -> None:
    with pytest.raises(Broken):
        run_state_machine_as_test(without(safeguard), settings=HUNT)

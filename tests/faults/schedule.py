"""Runs one schedule: acts as Airflow for a small campaign, throws its faults, and lets the auditor count.

Tasks run in their order, chunks side by side. A try that fails or dies is followed by another; people clear tasks
in between. One thread does all of it: look at the children, turn the agents, throw what is due.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import MySQLdb

from tests.faults import opponents, tries
from tests.faults.campaign import new_campaign
from tests.faults.carrier import Carrier
from tests.faults.opponents import Opponent
from tests.faults.plan import TASKS, Fault, Plan
from tests.faults.safeguards import UNLOCKED
from tests.faults.servers import LINES, Servers
from tests.faults.tries import Arms, Outcome, Try
from tests.faults.verdict import Result, judge, sent_so_far

MOST_TRIES = 12
TRY_SECONDS = 8.0
STILL_WAITING = 4
RECEIPT_SECONDS = 30.0
PAUSE = 0.002
PAUSES = ("pause", "slow writer")
AGENTS_WORK = ("dispatch", "collect_receipts")
KOREA = timedelta(hours=9)
RESTARTS = {
    "PostgreSQL fast": ("postgres", signal.SIGINT),
    "PostgreSQL immediate": ("postgres", signal.SIGQUIT),
    "MariaDB kill -9": ("mariadb", signal.SIGKILL),
}


class Stuck(Exception):
    """The run does not go on by itself."""


class Over(Exception):
    """The run has ended before its last task: it was refused, or cancelled."""


class Schedule:
    """One plan on a worker's servers.

    :param without: a safeguard that the children do without.
    """

    def __init__(self, servers: Servers, carrier: Carrier, plan: Plan, without: str = "") -> None:
        self._servers, self._carrier, self.plan, self._without = servers, carrier, plan, without
        self._choose = random.Random(-plan.seed - 1)
        self._left = list(plan.faults)
        self._refusals = list(plan.refusals)
        self._running: list[Try] = []
        self._twins: list[Try] = []
        self._opponents: list[Opponent] = []
        self._chunks: list[int] = []
        self._hits: Counter[str] = Counter()
        self._tries = 0
        self._days_off = next((one.number for one in plan.faults if one.kind == "clock"), 0)
        self._impatient = any("held" in one.kind for one in plan.faults)
        self._thaw: float | None = None
        self._lift: float | None = None
        self._before_halt: set[int] = set()
        self._after_halt: set[int] = set()
        self._cancelled = False
        self._before_cancel: set[int] = set()
        for statement in UNLOCKED.get(without, ()):
            servers.admin(statement)
        self.place = new_campaign(servers, plan)

    def run(self) -> Result:
        """Run it, whatever happens; what the auditor finds."""
        began, result = time.monotonic(), Result(self.plan.seed)
        sent_before = sent_so_far(self._servers)
        try:
            if any(one.kind == "month" for one in self.plan.faults):
                self._carrier.set_clock(_end_of_last_month())
            with suppress(Over):
                self._all_tasks()
            if self._cancelled:
                self._stage("cancel")
        except Stuck as stuck:
            result.problems.append(str(stuck))
        finally:
            self._tidy()
        after_cancel = self._markers() - self._before_cancel if self._cancelled else set()
        for chunks, when in ((self._after_halt, "under the kill switch"), (after_cancel, "after the cancel")):
            if chunks:
                result.problems.append(f"handed over {when}: chunks {sorted(chunks)}")
            result.after_refusal += len(chunks)
        judge(result, self.place, self._servers, self._carrier, sent_before, self._expected())
        result.hits, result.tries, result.seconds = dict(self._hits), self._tries, time.monotonic() - began
        return result

    def _expected(self) -> str:
        """The state in which the run has to be."""
        if self.plan.due != "manual":
            return "refused"
        return "cancelled" if self._cancelled else "finished"

    # ---- Airflow

    def _all_tasks(self) -> None:
        for place, task in enumerate(TASKS):
            self._stage(task)
            for clear in [one for one in self.plan.clears if one.what == task]:
                self._hits["clear"] += 1
                if clear.task == "dispatch" and clear.chunk in self._chunks:
                    self._stage("dispatch", [clear.chunk])
                    self._again(TASKS.index("dispatch") + 1, place)
                elif TASKS.index(clear.task) <= place:
                    self._again(TASKS.index(clear.task), place)

    def _again(self, first: int, last: int) -> None:
        """A cleared task runs again with everything after it."""
        for task in TASKS[first : last + 1]:
            self._stage(task)

    def _stage(self, task: str, chunks: list[int] | None = None) -> None:
        """Run a task, mapped for the dispatch, until it has succeeded."""
        waiting = chunks or (list(self._chunks) if task == "dispatch" else [0])
        used: Counter[int] = Counter()
        waits, began = 0, time.monotonic()
        due = self._take_due(task)
        for fault in [one for one in due if self._prepare(one)]:
            due.remove(fault)
        while waiting or self._running:
            for fault in [one for one in due if time.monotonic() - began >= one.seconds]:
                due.remove(fault)
                self._throw(fault)
            while waiting and len(self._running) < self.plan.parallel:
                chunk = waiting.pop(0)
                used[chunk] += 1
                self._start(task, chunk, used[chunk])
            self._turn(task in AGENTS_WORK)
            for ended, outcome in self._ended():
                if outcome.ok or outcome.refused:
                    self._remember(task, outcome)
                elif outcome.over:
                    raise Over
                elif outcome.held:
                    self._hits["held"] += 1
                    used[ended.chunk] -= 1
                    waiting.append(ended.chunk)
                elif outcome.final:
                    raise Stuck(f"{task}[{ended.chunk}] is not tried again: {outcome.text}")
                elif outcome.waiting:
                    waits += 1
                    used[ended.chunk] -= 1
                    self._look_for_lost(waits, time.monotonic() - began, outcome)
                    waiting.append(ended.chunk)
                else:
                    self._hits["failed tries"] += 1
                    if used[ended.chunk] >= MOST_TRIES:
                        raise Stuck(f"{task}[{ended.chunk}] failed {MOST_TRIES} times: {outcome.text}")
                    waiting.append(ended.chunk)
                    self._repair()
                self._refuse(task, ended.chunk)
        self._repair()

    def _start(self, task: str, chunk: int, number: int) -> None:
        crash = pause = ""
        seconds = 0.0
        for fault in list(self._left):
            mine = fault.task == task and fault.number == number and self._is_chunk(fault, chunk)
            if mine and fault.kind == "crash" and not crash:
                crash = fault.what
                self._left.remove(fault)
            elif mine and fault.kind in PAUSES and not pause:
                pause, seconds = fault.what, fault.seconds
                self._left.remove(fault)
                self._hits[fault.kind] += 1
        arms = Arms(crash, pause, seconds, self._days_off, self._impatient, self._without)
        self._tries += 1
        self._running.append(tries.start(self.place, task, chunk, arms))
        for fault in [one for one in self._left if one.kind in ("twins", "duplicate receipts") and one.task == task]:
            if self._is_chunk(fault, chunk):
                self._left.remove(fault)
                self._hits[fault.kind] += 1
                for _ in range(fault.number - 1):
                    self._twins.append(tries.start(self.place, task, chunk, replace(arms, crash="", pause="")))

    def _ended(self) -> list[tuple[Try, Outcome]]:
        """Tries that are over. One that takes too long is killed, as Airflow does with one that does not answer."""
        found = []
        for one in [*self._running, *self._twins]:
            outcome = one.poll()
            if outcome is None:
                if time.monotonic() - one.began > TRY_SECONDS:
                    one.kill()
                continue
            if outcome.killed:
                self._hits[f"crash {one.armed}" if one.armed else "killed tries"] += 1
            if one in self._twins:
                self._twins.remove(one)
                if outcome.final and one.task != "cancel":
                    raise Stuck(f"{one.task}[{one.chunk}], the other of two at once: {outcome.text}")
            else:
                self._running.remove(one)
                found.append((one, outcome))
        return found

    def _remember(self, task: str, outcome: Outcome) -> None:
        if task == "guard":
            self.place = replace(self.place, run_id=int(outcome.value))
            if outcome.refused:
                self._hits["refused"] += 1
                raise Over
        elif task == "cancel":
            self._cancelled = bool(outcome.value)
        elif task == "chunk_recipients":
            there = list(outcome.value)
            self._chunks = [number for number in self.plan.order if number in there]
            self._chunks += [number for number in there if number not in self._chunks]

    def _look_for_lost(self, waits: int, seconds: float, outcome: Outcome) -> None:
        if waits >= STILL_WAITING and self._thaw is None and self._carrier.lost(self.place.run_id):
            raise Stuck(f"The agents have passed over rows that became visible late: {outcome.text}")
        if seconds > RECEIPT_SECONDS:
            raise Stuck(f"The receipts never came: {outcome.text}")

    # ---- faults

    def _is_chunk(self, fault: Fault, chunk: int) -> bool:
        return not fault.chunk or not chunk or (fault.chunk - 1) % len(self._chunks) + 1 == chunk

    def _take_due(self, task: str) -> list[Fault]:
        """The faults that are thrown from outside while ``task`` runs."""
        inside = ("crash", *PAUSES, "twins", "duplicate receipts", "clock")
        due = [one for one in self._left if one.task == task and one.kind not in inside]
        self._left = [one for one in self._left if one not in due]
        return due

    def _prepare(self, fault: Fault) -> bool:
        """Throw what has to stand before the task begins; whether it was one of those."""
        servers, run = self._servers, self.place.run_id
        if fault.kind == "store full":
            servers.admin("INSERT INTO fault_disk VALUES (%s) ON CONFLICT DO NOTHING", [fault.what])
        elif fault.kind == "line full":
            table, error = fault.what.split()
            with servers.root() as cursor:
                values = (table, int(error), fault.number)
                cursor.execute("REPLACE INTO smsline.FAULT_DISK VALUES (%s, %s, %s)", values)
        elif fault.kind == "late receipts":
            self._carrier.freeze(True)
            self._thaw = time.monotonic() + fault.seconds
        elif "held" in fault.kind or "deadlock" in fault.kind:
            chunk = (fault.chunk - 1) % len(self._chunks) + 1
            mine = f"SMSQ_SEND_{(chunk - 1) % 3 + 1}"
            table = f"SMSQ_SEND_{fault.what}"
            seconds = fault.seconds
            opponent: Callable[[], Opponent] = {
                "line held": lambda: opponents.hold_line(servers, table, seconds),
                "rows held": lambda: opponents.hold_rows(servers, table, seconds),
                "chunk held": lambda: opponents.hold_chunk(servers, run, chunk, seconds),
                "deadlock on the line": lambda: opponents.deadlock_line(servers, mine, run, chunk, seconds),
                "deadlock in the store": lambda: opponents.deadlock_store(servers, run, chunk, seconds),
            }[fault.kind]
            self._opponents.append(opponent())
        else:
            return False
        self._hits[fault.kind] += 1
        return True

    def _throw(self, fault: Fault) -> None:
        """Throw what comes at a moment of the task."""
        if fault.kind == "kill -9":
            mine = [one for one in self._running if self._is_chunk(fault, one.chunk)] or self._running
            if not mine:
                return
            self._choose.choice(mine).kill()
        elif fault.kind == "KILL":
            if not self._kill_connection():
                return
        elif fault.kind == "pg_terminate_backend":
            ended = self._servers.admin(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bongsu_app' "
                "ORDER BY random() LIMIT 1"
            )
            if not ended:
                return
        elif fault.kind == "restart":
            self._servers.restart(*RESTARTS[fault.what])
            if self._carrier.moment:  # the server has forgotten what time it is
                self._carrier.set_clock(self._carrier.moment)
        elif fault.kind == "agent restarted":
            self._carrier.restart()
        elif fault.kind == "month":
            self._carrier.set_clock(None)
        elif fault.kind == "halt":
            with self._between_hand_overs():
                self._servers.admin(
                    "INSERT INTO kill_switches (tenant_id, reason) VALUES (%s, 'complaint')", [self.place.tenant_id]
                )
                self._before_halt = self._markers()
            self._lift = time.monotonic() + fault.number / 100
        elif fault.kind == "cancel":
            with self._between_hand_overs():
                tries.begin_cancel(self.place)
                self._cancelled, self._before_cancel = True, self._markers()
            self._twins.append(tries.start(self.place, "cancel", 0, Arms(without=self._without)))
        self._hits[f"{fault.kind} {fault.what}".strip()] += 1

    @contextmanager
    def _between_hand_overs(self) -> Iterator[None]:
        """While the block runs no chunk is being handed over: each one asks again after it."""
        with self._servers.root() as cursor:
            for table in (f"SMSQ_SEND_{line}" for line in LINES):
                cursor.execute("SELECT GET_LOCK(%s, 5)", (table,))
                assert cursor.fetchone()[0] == 1, f"{table} is held for long"
            try:
                yield
            finally:
                cursor.execute("DO RELEASE_ALL_LOCKS()")

    def _markers(self) -> set[int]:
        """The chunks that their lines have taken."""
        with self._servers.root() as cursor:
            run = self.place.run_id
            cursor.execute("SELECT chunk_no FROM smsline.BONGSU_HANDOVER WHERE run_id = %s", (run,))
            return {int(number) for (number,) in cursor.fetchall()}

    def _lift_halt(self) -> None:
        """Let the run go on; what left meanwhile, and had no leave, is remembered."""
        self._lift = None
        self._after_halt |= self._markers() - self._before_halt
        self._servers.admin("DELETE FROM kill_switches WHERE tenant_id = %s", [self.place.tenant_id])

    def _kill_connection(self) -> bool:
        with self._servers.root() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'bongsu'")
            numbers = [int(number) for (number,) in cursor.fetchall()]
            own = [number for number in numbers if number not in self._carrier.connections()]
            # an agent's connection may be cut as well, now and then
            pool = own if own and self._choose.random() < 0.85 else numbers
            if not pool:
                return False
            with suppress(MySQLdb.OperationalError):  # it has ended meanwhile
                cursor.execute("KILL CONNECTION %s", (self._choose.choice(pool),))
        return True

    def _repair(self) -> None:
        """Somebody has made room on the disk."""
        if any(one.kind == "store full" for one in self.plan.faults):
            self._servers.admin("DELETE FROM fault_disk")
        if any(one.kind == "line full" for one in self.plan.faults):
            with self._servers.root() as cursor:
                cursor.execute("DELETE FROM smsline.FAULT_DISK")

    def _refuse(self, task: str, chunk: int) -> None:
        """People refuse between two tries, while nobody hands their chunk over."""
        if any(one.chunk == chunk for one in [*self._running, *self._twins]):
            return
        for one in list(self._refusals):
            if one.task != task or not self._is_chunk(one, chunk):
                continue
            self._refusals.remove(one)
            self._hits["refusal"] += 1
            size = self.plan.chunk_size
            first = (chunk - 1) * size + 1 if chunk else 1
            number = self._choose.randint(first, first + (size if chunk else len(self.plan.rows)) - 1)
            self._servers.admin(
                "INSERT INTO suppressions (tenant_id, phone_index, reason, source, recorded_at) "
                "SELECT tenant_id, phone_index, 'opted_out', 'between', coalesce(to_timestamp(%s), now()) "
                "FROM recipients WHERE run_id = %s AND recipient_no = %s ON CONFLICT DO NOTHING",
                [self._carrier.moment, self.place.run_id, number],
            )

    def _turn(self, agents: bool = True) -> None:
        if self._thaw is not None and time.monotonic() > self._thaw:
            self._thaw = None
            self._carrier.freeze(False)
        if self._lift is not None and time.monotonic() > self._lift:
            self._lift_halt()
        if agents:
            self._carrier.turn()
        time.sleep(PAUSE)

    # ---- afterwards

    def _tidy(self) -> None:
        limit = time.monotonic() + TRY_SECONDS
        while self._running or self._twins:
            with suppress(Stuck):
                self._ended()
            self._turn()
            if time.monotonic() > limit:
                for one in [*self._running, *self._twins]:
                    one.kill()
        for opponent in self._opponents:
            opponent.end()
        self._thaw = None
        self._carrier.freeze(False)
        if self._carrier.moment is not None:
            self._carrier.set_clock(None)
        self._servers.admin("DELETE FROM fault_disk")
        with self._servers.root() as cursor:
            cursor.execute("DELETE FROM smsline.FAULT_DISK")


def _end_of_last_month() -> int:
    """Two seconds before the month in Korea began, as Unix time."""
    now = datetime.now(UTC) + KOREA
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return int((first - KOREA - timedelta(seconds=2)).timestamp())

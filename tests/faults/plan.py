"""What a seed means: a small campaign and the faults that will meet it. Nothing here touches a server."""

import random
from dataclasses import dataclass, field

from include.crashpoints import CrashPoint

TASKS = (
    "guard",
    "import_targets",
    "dedupe_targets",
    "chunk_recipients",
    "dispatch",
    "collect_receipts",
    "aggregate_results",
)
POINTS = {
    CrashPoint.after_begin: "guard",
    CrashPoint.after_decision: "guard",
    CrashPoint.after_freeze: "dedupe_targets",
    CrashPoint.after_claim: "dispatch",
    CrashPoint.inside_line_transaction: "dispatch",
    CrashPoint.after_line_commit: "dispatch",
    CrashPoint.before_store_commit: "dispatch",
    CrashPoint.after_store_commit: "dispatch",
    CrashPoint.between_receipts: "collect_receipts",
    CrashPoint.after_receipts: "collect_receipts",
    CrashPoint.before_books: "aggregate_results",
    CrashPoint.after_books: "aggregate_results",
}
WEIGHTS = {
    "crash": 30,
    "pause": 8,
    "slow writer": 8,
    "kill -9": 10,
    "KILL": 8,
    "pg_terminate_backend": 8,
    "deadlock on the line": 4,
    "deadlock in the store": 4,
    "line held": 4,
    "rows held": 4,
    "chunk held": 4,
    "line full": 5,
    "store full": 5,
    "twins": 8,
    "clock": 5,
    "late receipts": 4,
    "duplicate receipts": 4,
    "agent restarted": 4,
    "month": 5,
    "restart": 3,
    "halt": 5,
    "cancel": 5,
}
ONCE = ("month", "clock", "restart", "halt", "cancel")
DUE = {"manual": 88, "late": 6, "backfill": 6}
"""What is asked of the guard: a run that a person starts now, or one whose time has passed, which must not go."""
STORE_FULL = {
    "staging": "import_targets",
    "recipients": "dedupe_targets",
    "chunks": "chunk_recipients",
    "messages": "dispatch",
    "message_events": "collect_receipts",
    "certificates": "aggregate_results",
}


@dataclass(frozen=True)
class Fault:
    """One fault.

    :param task: the task that it meets.
    :param chunk: the mapped one; 0 for tasks that are not mapped.
    :param what: the kind's own choice: a boundary, a table, a server and its signal.
    :param number: which try, which recipient, how many.
    :param seconds: after the task began, or how long.
    """

    kind: str
    task: str = ""
    chunk: int = 0
    what: str = ""
    number: int = 1
    seconds: float = 0.0

    def __str__(self) -> str:
        at = f" at {self.task}{f'[{self.chunk}]' if self.chunk else ''}" if self.task else ""
        return f"{self.kind}{f' {self.what}' if self.what else ''}{at} · number {self.number} · {self.seconds:.3f} s"


@dataclass(frozen=True)
class Plan:
    """A schedule: everything that its seed decides. What the machine's own timing decides is not in it."""

    seed: int
    rows: list[tuple[str, str]]
    refused_before: list[int]
    chunk_size: int
    chunks: int
    order: list[int]
    """The chunks as the scheduler happens to start them."""
    parallel: int
    faults: list[Fault]
    due: str
    """One of :data:`DUE`."""
    clears: list[Fault]
    """Tasks that somebody clears: ``task`` when the one in ``what`` has ended."""
    refusals: list[Fault] = field(default_factory=list)
    """People who refuse when the first try of ``task`` is over; ``number`` of them."""

    def lines(self) -> list[str]:
        """The plan for people."""
        head = f"{self.due}, {len(self.rows)} rows, {self.chunks} chunks of {self.chunk_size}, {self.parallel} at once"
        clears = [f"clear {one.task}{f'[{one.chunk}]' if one.chunk else ''} after {one.what}" for one in self.clears]
        refusals = [f"{one.number} refuse after a try of {one.task}[{one.chunk}]" for one in self.refusals]
        return [head, *map(str, self.faults), *clears, *refusals]


def plan_of(seed: int) -> Plan:
    """The plan of a seed; the same for ever, as long as this file is the same."""
    choose = random.Random(seed)
    people = choose.randint(20, 80)
    rows = [(f"010{40_000_000 + choose.randrange(40_000_000):08d}", f"손님{number}") for number in range(people)]
    rows += choose.sample(rows, choose.randint(0, 5))
    choose.shuffle(rows)
    chunks = choose.choice((3, 4, 5, 5, 6, 6, 7, 8))
    size = -(-people // chunks)
    due = choose.choices(list(DUE), list(DUE.values()))[0]
    faults = [_fault(choose, chunks, people) for _ in range(choose.randint(1, 5))]
    if due != "manual":  # a guard that is killed between its steps is what a late run needs to slip through
        point = choose.choice((CrashPoint.after_begin, CrashPoint.after_decision))
        faults[0] = Fault("crash", "guard", 0, point.value)
    # One month turns over, one clock is wrong, one server at a time goes down, a run is halted and cancelled once.
    seen: set[str] = set()
    faults = [one for one in faults if one.kind not in ONCE or not _again(seen, one.kind)]
    order = choose.sample(range(1, chunks + 1), chunks)
    for slow in (one.chunk for one in faults if one.kind == "slow writer"):
        order = [slow, slow + 3, *(number for number in order if number not in (slow, slow + 3))]
    clears = [_clear(choose, chunks) for _ in range(choose.choice((0, 0, 0, 1, 1, 2)))]
    refusals = [
        Fault("refusal", choose.choice(("dedupe_targets", "dispatch", "dispatch")), choose.randint(1, chunks))
        for _ in range(choose.choice((0, 0, 1, 1, 2)))
    ]
    return Plan(
        seed=seed,
        rows=rows,
        refused_before=choose.sample(range(people), choose.choice((0, 0, 1, 3))),
        chunk_size=size,
        chunks=chunks,
        order=order,
        parallel=choose.choice((2, 3, 4, 6)),
        faults=faults,
        due=due,
        clears=clears,
        refusals=refusals,
    )


def _again(seen: set[str], kind: str) -> bool:
    known = kind in seen
    seen.add(kind)
    return known


def _task(choose: random.Random, chunks: int) -> tuple[str, int]:
    task = choose.choice((*TASKS, "dispatch", "dispatch", "dispatch", "collect_receipts"))
    return task, choose.randint(1, chunks) if task == "dispatch" else 0


def _clear(choose: random.Random, chunks: int) -> Fault:
    task, chunk = _task(choose, chunks)
    return Fault("clear", task, chunk, what=choose.choice(("dispatch", "collect_receipts", "aggregate_results")))


def _fault(choose: random.Random, chunks: int, people: int) -> Fault:
    kind = choose.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    task, chunk = _task(choose, chunks)
    some = choose.randint(1, chunks)
    soon = choose.uniform(0.0, 0.06)
    if kind in ("crash", "pause"):
        point = choose.choice(list(POINTS))
        task = POINTS[point]
        return Fault(
            kind,
            task,
            some if task == "dispatch" else 0,
            point.value,
            1 if kind == "pause" else choose.choice((1, 1, 1, 2)),
            choose.uniform(0.02, 0.15) if kind == "pause" else 0.0,
        )
    if kind == "slow writer":  # and another one for the same table: chunk and chunk + 3
        point = CrashPoint.inside_line_transaction
        return Fault(kind, "dispatch", choose.randint(1, max(1, chunks - 3)), point, 1, choose.uniform(0.06, 0.2))
    if kind == "twins":
        return Fault(kind, "dispatch", some, number=choose.choice((2, 2, 3)), seconds=choose.uniform(0.0, 0.01))
    if kind in ("deadlock on the line", "deadlock in the store", "chunk held"):
        return Fault(kind, "dispatch", some, seconds=0.3 if kind.startswith("deadlock") else 0.15)
    if kind in ("line held", "rows held"):
        return Fault(kind, "dispatch", 0, what=str(choose.randint(1, 3)), seconds=choose.uniform(0.05, 0.25))
    if kind == "line full":
        table = choose.choice(("BONGSU_HANDOVER", "SMSQ_SEND_1", "SMSQ_SEND_2", "SMSQ_SEND_3"))
        return Fault(kind, "dispatch", 0, f"{table} {choose.choice((1021, 1114))}", choose.randint(1, people))
    if kind == "store full":
        table = choose.choice(list(STORE_FULL))
        return Fault(kind, STORE_FULL[table], 0, table)
    if kind == "halt":  # for so many hundredths of a second
        return Fault(kind, "dispatch", 0, number=choose.randint(5, 30), seconds=soon)
    if kind == "cancel":
        where = choose.choice(("import_targets", "dedupe_targets", "dispatch", "dispatch", "collect_receipts"))
        return Fault(kind, where, 0, seconds=soon)
    if kind == "clock":
        return Fault(kind, number=choose.choice((-1, 1)))
    if kind == "late receipts":
        return Fault(kind, "collect_receipts", seconds=choose.uniform(0.05, 0.4))
    if kind == "duplicate receipts":
        return Fault(kind, "collect_receipts", number=2, seconds=soon)
    if kind == "restart":
        what = choose.choice(("PostgreSQL fast", "PostgreSQL immediate", "MariaDB kill -9"))
        return Fault(kind, task, 0, what, seconds=soon)
    if kind == "month":
        return Fault(kind, choose.choice(("dispatch", "dispatch", "collect_receipts")), 0, seconds=soon)
    return Fault(kind, task, chunk if kind == "kill -9" else 0, seconds=soon)

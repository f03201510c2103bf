"""``make faults N=1000 SEED=…``: seeded fault schedules on real servers, two at a time, each on servers of its own.

Schedule ``i`` of a call has the seed ``SEED + i``; without ``SEED`` every call takes new ones. A schedule that goes
wrong says how to replay it: its seed decides the campaign and its faults, the machine decides how their moments meet,
so a rare one may need some repetitions.
"""

import gc
import json
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from include.settings import ROOT
from tests.faults.carrier import Carrier
from tests.faults.plan import plan_of
from tests.faults.schedule import Schedule
from tests.faults.servers import Servers
from tests.faults.verdict import Result

WORKERS = 2
SAY_EVERY = 50
SEEDS = 1_000_000_000


def work() -> None:
    """A worker: reads a seed (and a safeguard to do without) from each line of its input, and answers with a line."""
    servers = Servers()
    try:
        servers.start()
        carrier = Carrier(servers)
        carrier.turn()
        gc.collect()
        gc.freeze()  # the children shall not copy pages for a collector's marks
        print("ready", flush=True)
        for line in sys.stdin:
            wanted = json.loads(line)
            schedule = Schedule(servers, carrier, plan_of(wanted["seed"]), wanted["without"])
            print(json.dumps(asdict(schedule.run())), flush=True)
        carrier.close()
    finally:
        servers.stop()


class Crew:
    """Workers with servers of their own; they go when the block ends."""

    def __init__(self, count: int = WORKERS) -> None:
        command = [sys.executable, "-m", "tests.faults.schedules", "--worker"]
        pipe = subprocess.PIPE
        self._workers = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, text=True, bufsize=1) for _ in range(count)
        ]
        for worker in self._workers:
            if self._read(worker) != "ready\n":
                raise RuntimeError("A worker's servers did not start; see its error above.")

    def run(self, seeds: Iterable[int], without: str = "") -> Iterator[Result]:
        """The results as they come. May be left before the end: what is under way is then waited for."""
        left, busy = iter(seeds), selectors.DefaultSelector()
        for worker in self._workers:
            self._give(worker, left, without, busy)
        try:
            while busy.get_map():
                for key, _ in busy.select():
                    worker = key.data
                    busy.unregister(worker.stdout)
                    result = Result(**json.loads(self._read(worker)))
                    self._give(worker, left, without, busy)
                    yield result
        finally:
            for key in list(busy.get_map().values()):
                self._read(key.data)
            busy.close()

    def close(self) -> None:
        """Let the workers end, and their servers with them."""
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.close()
        for worker in self._workers:
            worker.wait(60)

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _give(
        self, worker: subprocess.Popen[str], left: Iterator[int], without: str, busy: selectors.BaseSelector
    ) -> None:
        seed = next(left, None)
        if seed is None:
            return
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps({"seed": seed, "without": without}) + "\n")
        busy.register(worker.stdout, selectors.EVENT_READ, worker)

    @staticmethod
    def _read(worker: subprocess.Popen[str]) -> str:
        assert worker.stdout is not None
        line = worker.stdout.readline()
        if not line:
            raise RuntimeError("A worker ended; see its error above.")
        return line


@dataclass
class Tally:
    """What many schedules came to."""

    schedules: int = 0
    twice: int = 0
    missing: int = 0
    open_books: int = 0
    after_refusal: int = 0
    tries: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    wrong: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> bool:
        """Count a result; whether something was wrong with it."""
        self.schedules += 1
        self.twice += result.twice
        self.missing += result.missing
        self.open_books += result.open_books
        self.after_refusal += result.after_refusal
        self.tries += result.tries
        self.hits.update(result.hits)
        bad = bool(result.twice or result.missing or result.open_books or result.after_refusal or result.problems)
        if bad:
            self.wrong.append(result)
        return bad

    def __str__(self) -> str:
        counts = f"{self.twice} twice, {self.missing} missing, {self.open_books} open books"
        return f"{self.schedules} schedules, {counts}, {self.after_refusal} sent after a refusal"


def explain(result: Result) -> str:
    """What was wrong with a schedule, what met it, and how to see it again."""
    books = "open books" if result.open_books else "books closed"
    lines = [
        f"seed {result.seed}: {result.twice} twice, {result.missing} missing, {books}",
        *(f"  wrong: {problem}" for problem in result.problems),
        *(f"  plan:  {line}" for line in plan_of(result.seed).lines()),
        f"  again: make faults N=1 SEED={result.seed}",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """``N [SEED]``; 0 when nothing was sent twice or after a refusal, nobody is missing, all books are closed."""
    count = int(arguments[0]) if arguments else 1_000
    first = int(arguments[1]) if len(arguments) > 1 else time.time_ns() // 1_000 % SEEDS
    began, tally = time.monotonic(), Tally()
    print(f"Seeds {first} to {first + count - 1}; servers of their own in {_shown(ROOT / '.bongsu' / 'faults')}")
    with Crew(min(WORKERS, count)) as crew:
        for result in crew.run(range(first, first + count)):
            if tally.add(result):
                print(explain(result), flush=True)
            if tally.schedules % SAY_EVERY == 0:
                seconds = time.monotonic() - began
                print(f"{tally} · {seconds:,.0f} s, {seconds / tally.schedules:.2f} s each", flush=True)
    print(f"{tally.tries:,} tries; " + ", ".join(f"{name} {number:,}" for name, number in tally.hits.most_common()))
    print(tally)
    return int(bool(tally.wrong))


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    if sys.argv[1:] == ["--worker"]:
        work()
    else:
        sys.exit(main(sys.argv[1:]))

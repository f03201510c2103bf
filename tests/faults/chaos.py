"""``make chaos``: a campaign through a running Airflow while all that it needs is killed with -9, one after the other.

The script starts the run, as a user does, and kills; that is all it does. It clears nothing, retries nothing and
restarts nothing: what comes back, comes back by the embedded supervisor and by Airflow. At the end the run must be
complete, its books closed, and both counts from outside (the auditor's, the carrier's) must agree. Only then is the
exit code 0.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import psutil

from include.cli.run_flow import ENDED
from include.embedded.client import ensure, stop_all
from include.embedded.service import Site
from include.embedded.state import Home, Level, load_secrets, read_json
from include.settings import ROOT, settings
from sandbox.control import send
from sandbox.customers import Truth, generate
from tests.faults.chaos_plan import Kill, Phase, Victim, plan
from tests.faults.chaos_verdict import Finish, judge
from tests.faults.chaos_watch import Seen, Watcher

RECIPIENTS, CHUNKS, MINUTES = 200_000, 40, 12.0
DIRT = 1.15
"""Rows of the file for one recipient that is left of it, and some to spare."""
DAG_ID = "campaign__acme__chaos"
CRAWL = "5"
"""Rows a second and line that the agents take until one is killed; so there are receipts to wait for."""
COMMAND_SECONDS = 60
PACE = {"BONGSU_POLL_SECONDS": "1", "BONGSU_RETRY_SECONDS": "3"}
SPEC = {
    "tenant": "acme",
    "slug": "chaos",
    "title": "카오스",
    "purpose": "advertising",
    "message": {
        "channel": "sms",
        "sender": "0212345678",
        "text": "(광고) [ACME] {{name|고객}}님, 20% 할인! 전 매장 무료수신거부 080-123-4567",
        "subject": "20% 할인",
        "allow_lms": True,
    },
}


@dataclass
class Chaos:
    """One run under fire: the plan, what was seen, what is still to recover."""

    watcher: Watcher
    kills: deque[Kill]
    rng: random.Random
    began: float = field(default_factory=time.monotonic)
    done: list[Kill] = field(default_factory=list)
    phases: dict[Phase, float] = field(default_factory=dict)
    away: dict[Victim, tuple[int, float]] = field(default_factory=dict)
    tries: dict[str, tuple[int, str]] = field(default_factory=dict)
    struck: dict[str, tuple[int, float]] = field(default_factory=dict)
    amid: float | None = None
    missed: list[Kill] = field(default_factory=list)

    def say(self, phase: str, line: str) -> None:
        print(f"[{time.monotonic() - self.began:6.1f} s] {phase:<9} {line}", flush=True)

    def run(self, seconds: float) -> str:
        """Watch and kill until the run has ended and everything is back; its state, ``running`` when time was up."""
        state = "running"
        while time.monotonic() - self.began < seconds:
            seen = self.watcher.look()
            self._see_services()
            if seen is not None:
                state = seen.state
                self._see_tasks(seen)
                if state in ENDED and not self.away:
                    break
                self._strike(seen)
            time.sleep(0.02)
        return state

    def _phase(self) -> str:
        return str(list(self.phases)[-1]) if self.phases else "start"

    def _strike(self, seen: Seen) -> None:
        """Do the next kill if its moment has come."""
        for phase in Phase:
            wanted = ("deferred",) if phase is Phase.collect else ("running",)
            if phase not in self.phases and any(one.state in wanted for one in seen.of(phase.task_id)):
                self.phases[phase] = time.monotonic()
                self.say(phase, "begins")
        if not self.kills or self.kills[0].phase not in self.phases:
            return
        kill = self.kills[0]
        if seen.of(kill.phase.task_id) and seen.done(kill.phase.task_id) == len(seen.of(kill.phase.task_id)):
            self.say(kill.phase, f"MISSED   {kill.victim.named}: the phase was over too soon")
            self.missed.append(self.kills.popleft())
            return
        # One at a time, so that the log can tell who recovered from what; its tasks may still be waiting.
        if not self._is_time(kill, seen) or (self.away and kill.phase is not Phase.import_):
            return
        found = self.watcher.find(kill.victim, seen, kill.phase.task_id, self.rng)
        if found is not None:
            self._kill(kill, seen, *found)

    def _is_time(self, kill: Kill, seen: Seen) -> bool:
        now = time.monotonic()
        since = self.phases[kill.phase]
        if kill.amid:
            if not self.watcher.is_amid(kill.amid):
                return False
            since = self.amid = self.amid or now
        if kill.phase is Phase.collect and not any(one.state == "deferred" for one in seen.of(kill.phase.task_id)):
            return False
        return now - since >= kill.after and seen.done(Phase.dispatch.task_id) >= kill.chunks

    def _kill(self, kill: Kill, seen: Seen, process: psutil.Process, doing: str) -> None:
        with suppress(psutil.NoSuchProcess):
            process.kill()
            now = time.monotonic()
            self.kills.popleft()
            self.done.append(kill)
            self.amid = None
            progress = f"{seen.done('dispatch')} chunks handed over" if kill.phase is Phase.dispatch else ""
            amid = f"amid {kill.amid}" if kill.amid else ""
            detail = " · ".join(part for part in (doing, progress, amid) if part)
            self.say(kill.phase, f"KILL -9  {kill.victim.named}, pid {process.pid}{detail and f' ({detail})'}")
            if kill.victim.is_service:
                self.away[kill.victim] = process.pid, now
            else:
                name, _, number = doing.partition(" try ")
                self.struck[name] = int(number), now

    def _see_services(self) -> None:
        for victim, (pid, when) in list(self.away.items()):
            service = self.watcher.service(victim)
            if service.get("state") == "ready" and service.get("pid") != pid:
                del self.away[victim]
                took = time.monotonic() - when
                self.say(self._phase(), f"back     {victim.named} ready after {took:.1f} s, pid {service['pid']}")

    def _see_tasks(self, seen: Seen) -> None:
        """Log every further try: that it runs, and that it has succeeded."""
        for one in seen.instances:
            before = self.tries.get(one.name)
            now = one.try_number, one.state
            if before == now:
                continue
            self.tries[one.name] = now
            if one.state in ("up_for_retry", "failed"):
                self.say(self._phase(), f"task     {one.name} try {one.try_number}: {one.state}")
            if one.try_number < 2 or one.state not in ("running", "success"):
                continue
            took = ""
            if (hit := self.struck.get(one.name)) and one.try_number > hit[0]:
                took = f", {time.monotonic() - hit[1]:.1f} s after the kill"
            word = "runs" if one.state == "running" else "succeeded"
            self.say(self._phase(), f"retry    {one.name} try {one.try_number} {word}{took}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chaos; 0 when the campaign is complete and everybody agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--recipients", type=int, default=RECIPIENTS, help="at least so many (%(default)s)")
    parser.add_argument("--seed", type=int, default=2026, help="decides victims and moments (%(default)s)")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="limit of the run (%(default)s)")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    home = fresh_home()
    files = home.path / "customer-files"
    os.environ.update(BONGSU_HOME=str(home.path), BONGSU_CUSTOMER_FILES=str(files), **PACE)
    os.environ.pop("BONGSU_STORE_URL", None)
    settings.cache_clear()
    definition, truth = prepare(files / "acme", options.recipients, options.seed)
    print(f"seed {options.seed}: {truth.rows:,} rows, {truth.recipients:,} recipients", flush=True)
    with ensure(Level.all, lambda line: print(line, file=sys.stderr, flush=True)) as services:
        site = Site(home, read_json(home.endpoints)["ports"], load_secrets(home))
        assert "error" not in send(str(home.socket("agents.sock")), "slow", CRAWL)
        chaos = Chaos(Watcher(site, DAG_ID), deque(plan(options.seed, CHUNKS)), random.Random(options.seed))
        with started(definition, services.environment, options.minutes) as command:
            state = chaos.run(options.minutes * 60)
            seen = chaos.watcher.look()
            chaos.watcher.close()
            if state in ENDED:
                with suppress(subprocess.TimeoutExpired):
                    command.wait(COMMAND_SECONDS)
        print(f"\nThe run is {state} after {time.monotonic() - chaos.began:.0f} s.", flush=True)
        if state != "success":
            describe_failure(chaos, seen)
            return 1
        finish = Finish(chaos.done, [*chaos.missed, *chaos.kills], seen, command.returncode, time.monotonic() - began)
        return judge(finish, definition.parent, truth, services.environment)


def fresh_home() -> Home:
    """An empty state directory; what an earlier chaos left running is stopped first."""
    home = Home(ROOT / ".bongsu" / "chaos")
    if home.path.exists():
        stop_all(home)
        home.remove()
    home.create()
    return home


def prepare(folder: Path, recipients: int, seed: int) -> tuple[Path, Truth]:
    """Write the customer file and the campaign's definition; the truth about the file."""
    truth = generate(folder / "customers.csv", ceil(recipients * DIRT), seed, encoding="cp949")
    assert truth.recipients >= recipients, f"only {truth.recipients:,} recipients are left of the file"
    document = SPEC | {
        "audience": {
            "file": str(folder / "customers.csv"),
            "columns": {"phone": "휴대폰", "name": "이름", "consent": "수신동의"},
        },
        "delivery": {"chunk_size": ceil(truth.recipients / CHUNKS)},
    }
    definition = folder / "chaos.yaml"
    definition.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    return definition, truth


@contextmanager
def started(definition: Path, environment: Mapping[str, str], minutes: float) -> Iterator[subprocess.Popen[bytes]]:
    """``bongsu run`` in a process of its own; what it shows goes to a file, for the kills have the stage."""
    folder = definition.parent
    command = [str(ROOT / "bongsu"), "run", str(definition), "--report", str(folder / "report.json")]
    with (folder / "bongsu-run.log").open("wb") as shown:
        process = subprocess.Popen(
            [*command, "--timeout", str(minutes)], env={**os.environ, **environment}, stdout=shown, stderr=shown
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def describe_failure(chaos: Chaos, seen: Seen | None) -> None:
    """Say where it stood."""
    for one in seen.instances if seen else []:
        if one.state != "success":
            print(f"  {one.name} try {one.try_number}: {one.state}")
    print(f"  kills not done: {', '.join(kill.victim.named for kill in chaos.kills) or 'none'}")
    print(f"  not back: {', '.join(victim.named for victim in chaos.away) or 'none'}")
    print(f"  logs: {chaos.watcher.site.home.path}")
    print("chaos: incomplete")


if __name__ == "__main__":
    sys.exit(main())

"""``make chaos``: a campaign through a running Airflow while all that it needs is killed with -9, one after the other.

The script starts the run and kills; that is all it does. It clears nothing, retries nothing and restarts nothing: what
comes back, comes back by the embedded supervisor and by Airflow. At the end the run must be complete, its books closed,
and both counts from outside (the auditor's, the carrier's) must agree. Exit code 0 only then.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import psutil

from include.cli.airflow_api import airflow
from include.cli.applying import Applied, apply_file
from include.cli.reports import exit_code
from include.cli.run_flow import ENDED, wait_for_dag
from include.cli.store import tenant_store
from include.embedded.client import ensure, stop_all
from include.embedded.service import Site
from include.embedded.state import Home, Level, load_secrets, read_json
from include.reporting.report import load_report, render_report
from include.settings import ROOT, settings
from sandbox.carrier import CarrierBooks, carrier_books
from sandbox.control import send
from sandbox.customers import Truth, generate
from tests.faults.chaos_plan import Kill, Phase, Victim, plan
from tests.faults.chaos_watch import Seen, Watcher

RECIPIENTS, CHUNKS, MINUTES = 200_000, 40, 12.0
DIRT = 1.15
"""Rows of the file for one recipient that is left of it, and some to spare."""
DAG_RUN_ID = "chaos"
CRAWL = "5"
"""Rows a second and line that the agents take until one is killed; so there are receipts to wait for."""
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
    os.environ.update(BONGSU_HOME=str(home.path), **PACE)
    os.environ.pop("BONGSU_STORE_URL", None)
    settings.cache_clear()
    definition, truth = prepare(home.path / "chaos", options.recipients, options.seed)
    print(f"seed {options.seed}: {truth.rows:,} rows, {truth.recipients:,} recipients", flush=True)
    with ensure(Level.all, lambda line: print(line, file=sys.stderr, flush=True)) as services:
        site = Site(home, read_json(home.endpoints)["ports"], load_secrets(home))
        assert "error" not in send(str(home.socket("agents.sock")), "slow", CRAWL)
        applied = apply_file(definition)
        start(applied)
        kills = plan(options.seed, CHUNKS)
        chaos = Chaos(Watcher(site, applied.dag_id, DAG_RUN_ID), deque(kills), random.Random(options.seed))
        state = chaos.run(options.minutes * 60)
        seen = chaos.watcher.look()
        chaos.watcher.close()
        print(f"\nThe run is {state} after {time.monotonic() - chaos.began:.0f} s.", flush=True)
        if state != "success":
            describe_failure(chaos, seen)
            return 1
        return judge(chaos, seen, applied, truth, services.environment, time.monotonic() - began)


def fresh_home() -> Home:
    """An empty state directory; what an earlier chaos left running is stopped first."""
    home = Home(ROOT / ".bongsu" / "chaos")
    if home.path.exists():
        stop_all(home)
        shutil.rmtree(home.path)
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


def start(applied: Applied) -> None:
    """Start the run in Airflow."""
    with airflow() as session:
        wait_for_dag(session, applied)
        session.unpause(applied.dag_id)
        session.start(applied.dag_id, DAG_RUN_ID, {})


def describe_failure(chaos: Chaos, seen: Seen | None) -> None:
    """Say where it stood."""
    for one in seen.instances if seen else []:
        if one.state != "success":
            print(f"  {one.name} try {one.try_number}: {one.state}")
    print(f"  kills not done: {', '.join(kill.victim.named for kill in chaos.kills) or 'none'}")
    print(f"  not back: {', '.join(victim.named for victim in chaos.away) or 'none'}")
    print(f"  logs: {chaos.watcher.site.home.path}")
    print("chaos: incomplete")


def judge(
    chaos: Chaos, seen: Seen | None, applied: Applied, truth: Truth, environment: Mapping[str, str], seconds: float
) -> int:
    """Print the report, the audit and the carrier's own books; 0 when all is as it must be."""
    with tenant_store(applied.tenant) as (store, _):
        row = store.execute("SELECT run_id FROM runs WHERE dag_run_id = %s", [DAG_RUN_ID]).fetchone()
        assert row is not None
        report = load_report(store, row[0])
    for line in render_report(report):
        print(line)
    audited = audit(int(row[0]), environment, chaos.watcher.site.home.path / "chaos" / "audit.json")
    carrier = carrier_books(environment["BONGSU_LINE_URL"], int(row[0]))
    print(
        f"carrier's own books: {carrier.sent:,} sent to {carrier.people:,} people, "
        f"{carrier.twice:,} twice, {carrier.open:,} open"
    )
    print(f"kills done: {len(chaos.done)} · {_counted(kill.victim.named for kill in chaos.done)}")
    print(f"tries by task: {_tries(seen)}")
    print(f"The whole took {seconds:.0f} s.")
    verdict, good = conclusion(chaos, report, audited, carrier, truth)
    print(verdict, flush=True)
    return 0 if good else 1


def conclusion(
    chaos: Chaos, report: Mapping[str, Any], audited: Mapping[str, Any], carrier: CarrierBooks, truth: Truth
) -> tuple[str, bool]:
    """The last line, and whether it is the one that was hoped for."""
    complete = (
        not chaos.kills
        and not chaos.missed
        and {kill.victim for kill in chaos.done} == set(Victim)
        and report["recipients"] == truth.recipients
        and exit_code(dict(report)) == 0
    )
    twice = max(int(audited["twice"]), carrier.twice, int(report["twice"]))
    missing = max(int(audited["missing"]), truth.recipients - carrier.people, carrier.open)
    closed = bool(report["books_closed"])
    agrees = bool(audited["clean"] and audited["agrees_with_certificate"])
    line = (
        f"chaos: {'complete' if complete else 'INCOMPLETE'}, {twice} twice, {missing} missing, "
        f"{'books closed' if closed else 'BOOKS OPEN'}, {'auditor agrees' if agrees else 'AUDITOR DISAGREES'}"
    )
    return line, complete and not twice and not missing and closed and agrees


def audit(run_id: int, environment: Mapping[str, str], file: Path) -> dict[str, Any]:
    """The auditor's count, as a user would ask for it."""
    command = [str(ROOT / "bongsu"), "audit", str(run_id), "--json", str(file)]
    subprocess.run(command, env={**os.environ, **environment}, check=False)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _tries(seen: Seen | None) -> str:
    by_task: dict[str, Counter[int]] = {}
    for one in seen.instances if seen else []:
        by_task.setdefault(one.task_id, Counter())[one.try_number] += 1
    parts = []
    for task_id, tries in by_task.items():
        words = [f"{count} with {number}" for number, count in sorted(tries.items())]
        alone = len(tries) == 1 and sum(tries.values()) == 1
        parts.append(f"{task_id} {next(iter(tries)) if alone else '(' + ', '.join(words) + ')'}")
    return " · ".join(parts)


def _counted(names: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(names).items())


if __name__ == "__main__":
    sys.exit(main())

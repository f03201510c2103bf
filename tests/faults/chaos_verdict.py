"""What `make chaos` concludes: the run's report beside the auditor's count and the carrier's own books."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.cli.reports import exit_code
from include.embedded.processes import last_lines
from include.reporting.report import render_report
from include.settings import ROOT
from sandbox.carrier import CarrierBooks, carrier_books
from sandbox.customers import Truth
from tests.faults.chaos_plan import Kill, Victim
from tests.faults.chaos_watch import Seen


@dataclass(frozen=True)
class Finish:
    """How it ended.

    :param missed: kills that were planned and not done.
    :param command: exit code of ``bongsu run``; ``None`` when it did not notice the end.
    """

    done: list[Kill]
    missed: list[Kill]
    seen: Seen | None
    command: int | None
    seconds: float


def judge(finish: Finish, folder: Path, truth: Truth, environment: Mapping[str, str]) -> int:
    """Print the report, the audit and the carrier's own books; 0 when all is as it must be."""
    if not (folder / "report.json").exists():
        print("\n".join(last_lines(folder / "bongsu-run.log")))
        print(f"chaos: INCOMPLETE, `bongsu run` ended with {finish.command} and without a report")
        return 1
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    for line in render_report(report):
        print(line, flush=True)
    run_id = int(report["run_id"])
    audited = audit(run_id, environment, folder / "audit.json")
    carrier = carrier_books(environment["BONGSU_LINE_URL"], run_id)
    print(
        f"carrier's own books: {carrier.sent:,} sent to {carrier.people:,} people, "
        f"{carrier.twice:,} twice, {carrier.open:,} open"
    )
    print(f"kills done: {len(finish.done)} · {_counted(kill.victim.named for kill in finish.done)}")
    print(f"tries by task: {_tries(finish.seen)}")
    print(f"`bongsu run` saw it through: exit code {finish.command}")
    print(f"The whole took {finish.seconds:.0f} s.")
    verdict, good = conclusion(finish, report, audited, carrier, truth)
    print(verdict, flush=True)
    return 0 if good else 1


def conclusion(
    finish: Finish, report: Mapping[str, Any], audited: Mapping[str, Any], carrier: CarrierBooks, truth: Truth
) -> tuple[str, bool]:
    """The last line, and whether it is the one that was hoped for."""
    complete = (
        not finish.missed
        and finish.command == 0
        and {kill.victim for kill in finish.done} == set(Victim)
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


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(names).items())

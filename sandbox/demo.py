"""``make demo``: a customer file that nobody has cleaned, sent end to end, and counted again from outside.

Makes the file and knows the truth about it, hands it to ``./bongsu`` as a user would, then compares the report with the
truth and with what the carrier's side remembers. Exit code 0 only when all of them agree.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from include.embedded.client import ensure
from include.embedded.state import Level
from include.queries import ROOT
from include.settings import settings
from sandbox.carrier import CarrierBooks, carrier_books
from sandbox.customers import Truth, generate, unrelated_numbers

ROWS, CHUNK, SEED = 100_000, 10_000, 2026
SLUG = "spring-sale"
SUPPRESSED, UNRELATED = 300, 100

SPEC = """\
# Made by `make demo`. docs/ explains every field; `./bongsu lint` checks a file like this one.
tenant: acme
slug: {slug}
title: 봄맞이 할인
purpose: advertising
audience:
  file: customers.csv
  columns: {{phone: 휴대폰, name: 이름, consent: 수신동의}}
message:
  channel: sms
  sender: "0212345678"
  text: "(광고) [ACME] {{{{name|고객}}}}님, 봄맞이 20% 할인! 3월 말까지 전 매장 무료수신거부 080-123-4567"
  subject: 봄맞이 20% 할인
  allow_lms: true               # a long name makes the text longer than an SMS
schedule: {{}}                    # now
delivery: {{chunk_size: {chunk}}}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when report, truth and carrier agree."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the customer file (%(default)s)")
    parser.add_argument("--in-process", action="store_true", help="without Airflow's services")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    folder = settings().customer_files / "acme" / "demo"  # where services that run already look for files of acme
    truth = prepare(folder, options.rows)
    report_path = folder / "report.json"
    report_path.unlink(missing_ok=True)
    # Held from here to the last count, so that nothing stops and starts in between.
    with ensure(Level.lines if options.in_process else Level.all, _say) as services:
        environment = services.environment
        code = _bongsu(environment, "suppress", folder / "suppression.csv", "--tenant", "acme")
        if code == 0:
            mode = ("--in-process",) if options.in_process else ()
            code = _bongsu(environment, "run", folder / f"{SLUG}.yaml", "--report", report_path, *mode)
        if not report_path.is_file():
            _say(f"The campaign ended with exit code {code} and without a report.")
            return code or 1
        report: dict[str, Any] = json.loads(report_path.read_text(encoding="utf-8"))
        carrier = carrier_books(environment["BONGSU_LINE_URL"], int(report["run_id"]), truth.suppressed)
    problems = disagreements(report, truth, carrier)
    if code != 0:
        problems.append(f"bongsu ended with exit code {code}")
    print(f"\nThe demo took {time.monotonic() - started:.0f} s. The report: {report_path}")
    if not options.in_process:
        page = f"{environment['BONGSU_AIRFLOW_URL']}/dags/campaign__acme__{SLUG}"
        print(f"In the browser: {page}  (make up starts Airflow again, and says the login)")
    for problem in problems:
        print(f"DISAGREES  {problem}")
    for line in summary(report, carrier):
        print(line, flush=True)
    return 1 if problems else 0


def prepare(folder: Path, rows: int) -> Truth:
    """Write the customer file, the suppression list and the campaign's definition; the truth about them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    truth = generate(folder / "customers.csv", rows, SEED, encoding="cp949", suppressed=min(SUPPRESSED, rows // 20))
    numbers = sorted([*truth.suppressed, *unrelated_numbers(UNRELATED, SEED)])
    (folder / "suppression.csv").write_text("\n".join(["휴대폰", *numbers, ""]), encoding="utf-8")
    (folder / f"{SLUG}.yaml").write_text(SPEC.format(slug=SLUG, chunk=CHUNK), encoding="utf-8")
    _say(f"{folder / 'customers.csv'}: {rows:,} rows, CP949, as customers send them")
    return truth


def disagreements(report: Mapping[str, Any], truth: Truth, carrier: CarrierBooks) -> list[str]:
    """Every count of the report that is not the truth, or not what the carrier remembers."""
    excluded = {"no_consent": truth.no_consent, "suppressed": len(truth.suppressed)}
    recipients = truth.recipients
    wanted: dict[str, Any] = {
        "rows_read": truth.rows,
        "rejected": dict(truth.rejected),
        "duplicates": truth.duplicates,
        "excluded": {reason: count for reason, count in excluded.items() if count},
        "recipients": recipients,
        "chunks": ceil(recipients / CHUNK),
        "accepted": recipients,
        "delivered": carrier.delivered,
        "failed": {str(code): count for code, count in carrier.failed.items()},
        "expired": 0,
        "unknown": 0,
        "books_closed": True,
    }
    problems = []
    for name, right in wanted.items():
        said = report.get(name)
        if isinstance(said, dict):
            said = {str(key): count for key, count in said.items() if count}
        if said != right:
            problems.append(f"{name}: the report says {said}, right is {right}")
    for name, count, right in (
        ("messages the carrier got", carrier.sent, recipients),
        ("messages in the carrier's logs", carrier.delivered + sum(carrier.failed.values()), recipients),
        ("people the carrier wrote to", carrier.people, recipients),
        ("messages handed over twice", carrier.twice, 0),
        ("messages still at the carrier", carrier.open, 0),
        ("suppressed people written to", carrier.to_suppressed, 0),
    ):
        if count != right:
            problems.append(f"{name}: {count:,}, right is {right:,}")
    return problems


def summary(report: Mapping[str, Any], carrier: CarrierBooks) -> list[str]:
    """The last lines of the demo."""
    return [
        f"rows read            {report['rows_read']:>9,}",
        f"rejected by reason   {_counts(report['rejected'])}",
        f"duplicates           {report['duplicates']:>9,}",
        f"excluded by reason   {_counts(report['excluded'])}",
        f"recipients           {report['recipients']:>9,}",
        f"chunks               {report['chunks']:>9,}",
        f"accepted             {report['accepted']:>9,}",
        f"delivered            {report['delivered']:>9,}",
        f"failed by code       {_counts(report['failed'])}",
        f"expired              {report['expired']:>9,}",
        f"unknown              {report['unknown']:>9,}",
        f"handed over twice    {carrier.twice:>9,}",
        "books closed" if report["books_closed"] else "BOOKS OPEN",
    ]


def _counts(counts: Mapping[str, int]) -> str:
    parts = " · ".join(f"{name}: {count:,}" for name, count in counts.items())
    return f"{sum(counts.values()):>9,}  {parts}".rstrip()


def _bongsu(environment: Mapping[str, str], *words: str | Path) -> int:
    """Run the product's command line as a user would; its output passes through."""
    command = [str(ROOT / "bongsu"), *map(str, words)]
    _say(f"$ ./bongsu {' '.join(map(str, words))}")
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

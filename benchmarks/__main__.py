"""``python -m benchmarks [--rows N]``: one table, and the same as JSON in benchmarks/results/latest.json.

Every figure is a ratio to a limit measured in the same run on the same servers, because machines differ and are noisy.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from benchmarks import limits
from benchmarks.campaign import Campaign
from include.embedded.client import ensure
from include.embedded.state import Level
from include.settings import settings
from sandbox.customers import generate

RESULTS = Path(__file__).parent / "results" / "latest.json"
SEED = 20261121


@dataclass(frozen=True)
class Measured:
    """One line of the table: seconds of ours and of the limit, and ours divided by it."""

    name: str
    ours: float
    limit: float
    ratio: float
    rows: int
    against: str


def measure(name: str, against: str, rows: int, ours: Callable[[], None], limit: Callable[[], None]) -> Measured:
    """Time ``ours`` once (it writes a run, so it cannot be repeated) and ``limit`` as the median of three."""
    limit()  # warm-up
    limits_seen = statistics.median(_seconds(limit) for _ in range(3))
    seconds = _seconds(ours)
    return Measured(name, round(seconds, 3), round(limits_seen, 3), round(seconds / limits_seen, 2), rows, against)


def _seconds(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the customer file (default 100,000)")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, ensure(Level.databases, print):
        file = Path(folder) / "customers.csv"
        generate(file, rows, SEED)
        with psycopg.connect(settings().owner_url) as owner:
            campaign = Campaign.create(file)
            table = [
                measure(
                    "import + freeze", "COPY of the same file into an unlogged table", rows,
                    campaign.import_and_freeze, lambda: limits.copy_file(owner, file),
                ),
                measure(
                    "dispatch", "LOAD DATA of the finished rows, one connection", rows,
                    campaign.dispatch, campaign.load_finished_rows,
                ),
                measure(
                    "collect", "reading the same rows and COPYing them", rows,
                    campaign.collect, lambda: campaign.read_and_copy(owner),
                ),
                measure(
                    "books", "one sequential scan of the run's messages", rows,
                    campaign.close_books, campaign.scan_messages,
                ),
            ]  # fmt: skip
    print(f"\n{'stage':<18}{'rows':>11}{'ours s':>10}{'limit s':>10}{'ratio':>8}  against")
    for line in table:
        print(f"{line.name:<18}{line.rows:>11,}{line.ours:>10.2f}{line.limit:>10.2f}{line.ratio:>8.2f}  {line.against}")
    RESULTS.parent.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    RESULTS.write_text(json.dumps({"machine": machine, "table": [asdict(line) for line in table]}, indent=1) + "\n")


if __name__ == "__main__":
    main()

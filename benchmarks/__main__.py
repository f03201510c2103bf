"""``python -m benchmarks [--small] [--only NAME …]``: one table, each figure beside its limit or peer."""

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.measure import Bench, Measured
from benchmarks.report import remember, slower, store, table
from include.embedded.client import stop_all, this_home
from include.embedded.state import Home
from include.settings import settings

ROWS = {
    "importing": "stages.importing",
    "dispatching": "stages.dispatching",
    "collecting": "stages.collecting",
    "books": "stages.books",
    "whole": "whole.measure",
    "latency": "latency.measure",
    "memory": "memory.measure",
    "parsing": "parsing.measure",
    "peer": "peer.measure",
    "searching": "searching.measure",
}
"""The rows of the table in the order in which they are measured, and the functions that measure them."""
ON_AIRFLOW = {"whole", "latency", "memory"}


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="100,000 rows instead of 1,000,000; about 5 minutes")
    parser.add_argument(
        "--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=f"of: {', '.join(ROWS)}"
    )
    parser.add_argument("--rows", type=int, help="another size of the customer file")
    parser.add_argument("--repeats", type=int, default=3, help="timings of each thing; the median counts (default 3)")
    options = parser.parse_args()
    complete = set(options.only) == set(ROWS) and options.rows is None
    lines: list[Measured] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bongsu-bench-") as files, own_home(files), ExitStack() as shared:
        rows = options.rows or (100_000 if options.small else 1_000_000)
        (folder := Path(files) / "acme").mkdir()
        bench = Bench(rows, options.repeats, folder, _say, options.small, options.only, shared)
        for name, place in ROWS.items():
            if name not in options.only:
                continue
            if name not in ON_AIRFLOW:
                shared.close()
            module, function = place.split(".")
            row = importlib.import_module(f"benchmarks.{module}")
            _say(f"{name} …")
            found: list[Measured] = getattr(row, function)(bench)
            for line in table(found)[1:]:
                _say(line)
            lines += found
            store(lines)
    print("\n" + "\n".join(table(lines)))
    for text in slower(lines, small=options.small):
        print(f"SLOWER  {text}")
    if complete:
        remember(lines, small=options.small)
    missed = [line.name for line in lines if not line.met]
    print(
        f"\n{len(lines) - len(missed)} of {len(lines)} targets met in {time.monotonic() - started:.0f} s.", flush=True
    )
    return 1 if missed else 0


@contextmanager
def own_home(files: str) -> Iterator[None]:
    """Servers of the benchmarks' own, in an empty home below this one: a user's store and Airflow never show them.

    :param files: folder with the folders of the tenants' customer files.
    """
    home = Home(this_home().path / "bench")
    home.create()
    stop_all(home)
    home.remove()
    home.create()
    for name in [name for name in os.environ if name.startswith("BONGSU_")]:
        del os.environ[name]
    os.environ.update(BONGSU_HOME=str(home.path), BONGSU_CUSTOMER_FILES=files)
    settings.cache_clear()
    try:
        yield
    finally:
        stop_all(home)
        home.remove()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

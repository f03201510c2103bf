"""Prints the table, stores it, and says what has become slower since an earlier commit.

``results/latest.json`` is the last run: a list with an object for each line of the table. ``results/history.jsonl`` has
a line for each complete run: commit, machine, ratios. Ratios are compared, not seconds, because machines differ.
"""

import json
import os
import platform
import subprocess
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import Measured

RESULTS = Path(__file__).parent / "results"
LATEST, HISTORY = RESULTS / "latest.json", RESULTS / "history.jsonl"
SLOWER = 1.25
"""A ratio that has grown by more than this against the median of earlier runs is pointed out."""


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def figure(value: float | None) -> str:
    """A number as the table shows it."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}" if abs(value) >= 0.1 else f"{value:.4f}"


def _pad(text: str, width: int) -> str:
    taken = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * max(0, width - taken)


def table(lines: Sequence[Measured]) -> list[str]:
    """The table, a string a line."""
    head = ["work", "rows", "ours", "limit", "unit", "ratio", "target", "", "against"]
    body = [
        [
            line.name,
            f"{line.rows:,}",
            figure(line.ours),
            figure(line.limit),
            line.unit,
            figure(line.ratio),
            line.target,
            "met" if line.met else "MISSED",
            line.against + (f" ({line.note})" if line.note else ""),
        ]
        for line in lines
    ]
    widths = [max(len(row[place]) for row in (head, *body)) for place in range(len(head))]
    return ["  ".join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)) for row in (head, *body)]


def store(lines: Sequence[Measured]) -> None:
    """Write ``latest.json``: what has been measured so far."""
    RESULTS.mkdir(exist_ok=True)
    described = [{**asdict(line), "machine": machine()} for line in lines]
    LATEST.write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def remember(lines: Sequence[Measured], *, small: bool) -> None:
    """Add the ratios of a complete run to the history."""
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "small": small,
        "machine": machine(),
        "figures": {line.name: {"ours": line.ours, "ratio": line.ratio, "met": line.met} for line in lines},
    }
    with HISTORY.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def slower(lines: Sequence[Measured], *, small: bool) -> list[str]:
    """What is clearly slower than the median of the last five runs of the same size, in words."""
    earlier = [entry for entry in history() if entry["small"] == small][-5:]
    found = []
    for line in lines:
        ratios = sorted(
            entry["figures"][line.name]["ratio"]
            for entry in earlier
            if (entry["figures"].get(line.name) or {}).get("ratio")
        )
        if not ratios or line.ratio is None:
            continue
        before = ratios[len(ratios) // 2]
        grown = before / line.ratio if line.target.startswith("≥") else line.ratio / before
        if grown > SLOWER:
            found.append(f"{line.name}: ratio {figure(line.ratio)}, was {figure(before)} in earlier runs")
    return found


def history() -> list[dict[str, Any]]:
    """The runs so far, oldest first."""
    if not HISTORY.is_file():
        return []
    return [json.loads(line) for line in HISTORY.read_text(encoding="utf-8").splitlines() if line]


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, cwd=RESULTS
    )
    return found.stdout.strip() or "unknown"

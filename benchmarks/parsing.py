"""Parsing: 1,000 live campaigns into DAGs beside ``dag-factory``, and for one task beside importing Airflow."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import dag_factory, parse_process
from benchmarks.live_campaigns import compile_live
from benchmarks.measure import Bench, Measured
from include.campaigns.manifest import Entry
from include.embedded.client import ensure
from include.embedded.state import Level
from include.settings import ROOT

CAMPAIGNS = 1_000
SMALL_CAMPAIGNS = 100
PROCESSES, SMALL_PROCESSES = 7, 3
"""Fresh processes of each kind for one task."""
MOST_MORE = 0.3
"""Seconds that parsing for one task may add to importing Airflow."""


def measure(bench: Bench) -> list[Measured]:
    """The row's two lines."""
    folder = bench.folder / "parsing"
    with ensure(Level.databases, bench.say):
        by_shard = compile_live(folder / "manifests", SMALL_CAMPAIGNS if bench.small else CAMPAIGNS)
    environment = _environment(folder)
    ours = [ROOT / "dags" / f"campaigns_{shard:02d}.py" for shard in by_shard]
    return [
        _against_dag_factory(bench, environment, folder, by_shard, ours),
        _for_one_task(bench, environment, ours[0], by_shard),
    ]


def _against_dag_factory(
    bench: Bench, environment: dict[str, str], folder: Path, by_shard: dict[int, list[Entry]], ours: list[Path]
) -> Measured:
    """Build all DAGs in a fresh process, ours and the peer's in turns."""
    peer_environment = environment | {"PYTHONPATH": f"{ROOT}{os.pathsep}{dag_factory.installed()}"}
    _process(environment, "-m", "benchmarks.dag_factory.write", folder / "peer")
    peer = [folder / "peer" / loader.name for loader in ours]
    rows = sum(map(len, by_shard.values()))
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for _ in range(bench.repeats):
        one, other = _built("build", environment, ours), _built("build", peer_environment, peer)
        assert one["dags"] == other["dags"] == rows
        assert one["shapes"] == other["shapes"], "dag-factory's DAGs are not equal to ours"
        found.append((one, other))
    build, peer_build = (statistics.median(pair[place]["build"] for pair in found) for place in (0, 1))
    note = ""
    if not bench.small:
        seconds = _built("serialize", environment, ours)["serialize"]
        peer_seconds = _built("serialize", peer_environment, peer)["serialize"]
        note = f"Airflow's serialization takes another {seconds:.1f} s, {peer_seconds:.1f} s for dag-factory's"
    return Measured.at_most(
        "parsing live campaigns into DAGs",
        build,
        peer_build,
        1.0,
        against="dag-factory building equal DAGs from YAML",
        rows=rows,
        note=note,
    )


def _for_one_task(
    bench: Bench, environment: dict[str, str], loader: Path, by_shard: dict[int, list[Entry]]
) -> Measured:
    """Wall time of a fresh process that loads a file to run one task of it, beside one that imports Airflow alone."""
    entries = next(iter(by_shard.values()))
    asked = environment | {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": entries[len(entries) // 2].dag_id}
    program = parse_process.__file__
    airflow, task = [], []
    for _ in range(SMALL_PROCESSES if bench.small else PROCESSES):
        airflow.append(_seconds(asked, program, "airflow"))
        task.append(_seconds(asked, program, "task", loader))
    alone, ours = statistics.median(airflow), statistics.median(task)
    more = statistics.median(after - before for before, after in zip(airflow, task, strict=True))
    return Measured(
        "parsing for one task",
        ours,
        alone,
        ours / alone,
        f"≤ {MOST_MORE:g} s more",
        more <= MOST_MORE,
        "s",
        "a process that imports Airflow's DAG and BaseOperator alone",
        len(entries),
        f"{more:.2f} s more, the median of {len(task)} pairs; a file of {len(entries)} campaigns",
    )


def _environment(folder: Path) -> dict[str, str]:
    """Of a process that parses: an Airflow without a database, the compiled manifests, nobody told about it."""
    home = folder / "airflow"
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False",
        "BONGSU_MANIFESTS": str(folder / "manifests"),
    }


def _built(mode: str, environment: dict[str, str], loaders: list[Path]) -> dict[str, Any]:
    printed = _process(environment, parse_process.__file__, mode, *loaders)
    result: dict[str, Any] = json.loads(printed.rsplit("\n", 1)[-1])
    return result


def _seconds(environment: dict[str, str], *arguments: object) -> float:
    started = time.perf_counter()
    _process(environment, *arguments)
    return time.perf_counter() - started


def _process(environment: dict[str, str], *arguments: object) -> str:
    """Run Python with ``arguments`` and return what it printed."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

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
from include.embedded.state import Level
from include.settings import ROOT

NEEDS = Level.databases
CAMPAIGNS = 1_000
SMALL_CAMPAIGNS = 200
PROCESSES = 5
"""Fresh processes of each kind for one task, at least."""
MOST_MORE = 0.3
"""Seconds that parsing for one task may add to importing Airflow."""


def measure(bench: Bench) -> list[Measured]:
    """The row's two lines."""
    folder = bench.folder / "parsing"
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
    for turn in range(1 if bench.small else bench.repeats):
        found.append((_built(environment, ours), _built(peer_environment, peer)))
        bench.say(f"  turn {turn + 1}: ours {found[-1][0]['build']:.2f} s, dag-factory {found[-1][1]['build']:.2f} s")
    for one, other in found:
        assert one["dags"] == other["dags"] == rows
        assert one["shapes"] == other["shapes"], "dag-factory's DAGs are not equal to ours"
    build, peer_build = (statistics.median(pair[place]["build"] for pair in found) for place in (0, 1))
    both = [statistics.median(pair[place]["build"] + pair[place]["serialize"] for pair in found) for place in (0, 1)]
    return Measured.at_most(
        "parsing live campaigns into DAGs",
        build,
        peer_build,
        1.0,
        against="dag-factory building equal DAGs from YAML",
        rows=rows,
        note=f"with Airflow's serialization {both[0]:.1f} and {both[1]:.1f} s",
    )


def _for_one_task(
    bench: Bench, environment: dict[str, str], loader: Path, by_shard: dict[int, list[Entry]]
) -> Measured:
    """Wall time of a fresh process that loads a file to run one task of it, beside one that imports Airflow alone."""
    entries = next(iter(by_shard.values()))
    asked = environment | {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": entries[len(entries) // 2].dag_id}
    program = parse_process.__file__
    airflow, task = [], []
    for _ in range(max(PROCESSES, bench.repeats) + 1):  # the first of each warms up
        airflow.append(_seconds(asked, program, "airflow"))
        task.append(_seconds(asked, program, "task", loader))
    alone, ours = statistics.median(airflow[1:]), statistics.median(task[1:])
    return Measured(
        "parsing for one task",
        ours,
        alone,
        ours / alone,
        f"≤ {MOST_MORE:g} s more",
        ours - alone <= MOST_MORE,
        "s",
        "a process that imports Airflow's DAG and BaseOperator alone",
        len(entries),
        f"{ours - alone:.2f} s more; a file of {len(entries)} campaigns",
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


def _built(environment: dict[str, str], loaders: list[Path]) -> dict[str, Any]:
    printed = _process(environment, parse_process.__file__, "build", *loaders)
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

"""Runs a DAG's tasks one after the other in this process: ``bongsu run --in-process``.

As ``airflow dags test`` does, but with metadata of the run's own, made for it and removed after it. In the metadata of
an Airflow that runs, its scheduler would see the run and start the same tasks beside this process.

The caller says the moment of the run, so that it knows its run's id, ``manual__<moment>``, and two of them at once do
not look at each other's.
"""

import json
import os
import signal
import sys
import tempfile
from datetime import datetime
from pathlib import Path


def main(dag_id: str, dag_file: str, run_after: str, conf: str) -> int:
    """Run ``dag_id`` of ``dag_file``; 1 when the run has failed.

    :param run_after: ISO 8601 with its offset.
    :param conf: the run's configuration as JSON.
    """
    with tempfile.TemporaryDirectory(prefix="bongsu-run-") as folder:
        os.environ |= own_metadata(Path(folder), dag_id)
        # what reads the environment when it is imported comes after it
        from airflow.providers_manager import ProvidersManager
        from airflow.utils.cli import get_bagged_dag
        from airflow.utils.db import initdb

        initdb()
        ProvidersManager().initialize_providers_configuration()  # type: ignore[no-untyped-call]  # untyped in Airflow
        moment = datetime.fromisoformat(run_after)
        dag = get_bagged_dag(None, dag_id, dag_file)
        run = dag.test(run_after=moment, logical_date=moment, run_conf=json.loads(conf))
    return 0 if run.state == "success" else 1


def own_metadata(folder: Path, dag_id: str) -> dict[str, str]:
    """Settings of an Airflow that has its metadata in ``folder`` and knows one DAG."""
    file = folder / "airflow.db"
    return {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{file}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"sqlite+aiosqlite:///{file}",
        # the loaders build this campaign's DAG and no other
        "_AIRFLOW_PARSING_CONTEXT_DAG_ID": dag_id,
    }


if __name__ == "__main__":
    # told to stop, as when the time is up, it takes its metadata along
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(*sys.argv[1:]))

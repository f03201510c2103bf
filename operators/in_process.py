"""Runs a DAG's tasks one after the other in this process, as ``airflow dags test`` does: ``bongsu run --in-process``.

Airflow's own command names the run after the moment at which it gets to it. Here the caller says the moment, so that it
knows its run's id, ``manual__<moment>``, and two of them at once do not look at each other's.
"""

import json
import sys
from datetime import datetime

from airflow.providers_manager import ProvidersManager
from airflow.utils.cli import get_bagged_dag


def main(dag_id: str, dag_file: str, run_after: str, conf: str) -> int:
    """Run ``dag_id`` of ``dag_file``; 1 when the run has failed.

    :param run_after: ISO 8601 with its offset.
    :param conf: the run's configuration as JSON.
    """
    ProvidersManager().initialize_providers_configuration()  # type: ignore[no-untyped-call]  # untyped in Airflow
    moment = datetime.fromisoformat(run_after)
    run = get_bagged_dag(None, dag_id, dag_file).test(run_after=moment, logical_date=moment, run_conf=json.loads(conf))
    return 0 if run.state == "success" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

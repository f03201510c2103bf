"""Parses a DAG folder as Airflow does and prints what came of it as JSON; run in a process of its own.

``python parse_dags.py FOLDER`` → ``{"errors": {file: text}, "dags": {id: {"file": name, "serialized": {…}}}}``
"""

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization


def main() -> None:
    folder = Path(sys.argv[1])
    bag = DagBag(folder, bundle_path=folder)
    result = {
        "errors": {Path(name).name: text for name, text in bag.import_errors.items()},
        "dags": {
            dag_id: {"file": Path(dag.fileloc).name, "serialized": DagSerialization.to_dict(dag)}
            for dag_id, dag in bag.dags.items()
        },
    }
    sys.stdout.write("\n" + json.dumps(result, sort_keys=True))


if __name__ == "__main__":
    main()

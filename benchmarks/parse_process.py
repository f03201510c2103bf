"""A fresh process that parses loaders as Airflow does, for :mod:`benchmarks.parsing`; what it prints is JSON.

``build FILE …`` builds every DAG: ``{"dags": n, "build": seconds, "shapes": {…}}``.
``serialize FILE …`` then serializes them, too, as Airflow does: ``"serialize": seconds``.
``airflow`` imports what every DAG file needs of Airflow and ends; ``task FILE`` then loads one file, too.
"""

import json
import runpy
import sys
import time
from typing import Any

PEER_ADDS = {"tags", "doc_md", "_processor_dags_folder", "fileloc", "relative_fileloc"}
"""What the peer cannot leave as it is asked for: a tag of its own, and its YAML at the end of the documentation."""
SHAPES = 10
"""DAGs whose serialized form is handed out, evenly spread."""


def build(files: list[str], *, serialize: bool) -> dict[str, Any]:
    """Parse the files one after the other; Airflow itself is imported before the clock starts."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG, BaseOperator  # noqa: F401
    from airflow.serialization.serialized_objects import DagSerialization

    started = time.perf_counter()
    dags: dict[str, Any] = {}
    for file in files:
        bag = DagBag(file, bundle_path=None)
        assert not bag.import_errors, bag.import_errors
        dags |= bag.dags
    built = time.perf_counter()
    shown = sorted(dags)[:: max(1, len(dags) // SHAPES)]
    documents = {dag_id: DagSerialization.to_dict(dags[dag_id]) for dag_id in (dags if serialize else shown)}
    return {
        "dags": len(dags),
        "build": built - started,
        "serialize": time.perf_counter() - built if serialize else None,
        "shapes": {dag_id: shape(documents[dag_id]["dag"]) for dag_id in shown},
    }


def shape(document: dict[str, Any]) -> dict[str, Any]:
    """A serialized DAG without what the peer adds."""
    return {name: value for name, value in document.items() if name not in PEER_ADDS}


def main() -> None:
    """The command line."""
    mode, *files = sys.argv[1:]
    if mode in ("build", "serialize"):
        sys.stdout.write("\n" + json.dumps(build(files, serialize=mode == "serialize"), sort_keys=True))
        return
    from airflow.sdk import DAG, BaseOperator  # noqa: F401

    if mode == "task":
        assert any(isinstance(value, DAG) for value in runpy.run_path(files[0]).values())


if __name__ == "__main__":
    main()

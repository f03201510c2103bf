"""What every loader in ``dags/`` does: one manifest into DAGs.

When Airflow parses the file only to run a task, one DAG is built instead of a hundred. A manifest that
is missing or broken raises, so that Airflow keeps the DAGs it knows. An entry of which no DAG can be built costs
its own DAG alone: for an error of the file Airflow would start nothing of any campaign in it.
"""

from contextlib import suppress
from pathlib import Path

from airflow.sdk import DAG, get_parsing_context

from include.campaigns.manifest import (
    BrokenManifest,
    DefinitionError,
    in_store,
    note_unbuilt,
    read_errors,
    read_manifest,
)
from include.errors import BongsuError
from include.settings import settings
from operators.campaign_dag import build_dag

LONGEST_REASON = 300


class WrongDefinitions(BongsuError):
    """Definitions that cannot be used; their campaigns keep the last good version, or have no DAG."""


def build_dags(loader: Path) -> dict[str, DAG]:
    """The DAGs of the loader ``campaigns_NN.py`` by id; only the one asked for when a task is about to run.

    :raises BrokenManifest: the manifest is missing or broken.
    :raises Exception: the one DAG asked for cannot be built; of the others this is noted beside the manifest.
    """
    path = settings().manifests / f"{loader.stem}.json"
    entries = read_manifest(path)
    wanted = get_parsing_context().dag_id
    if wanted is not None:
        entries = [entry for entry in entries if entry.dag_id == wanted]
        # `airflow dags test` asks every loader for the one DAG: only a DAG that no loader has is missing
        if not entries and not _is_elsewhere(wanted, path):
            raise BrokenManifest(path, f"the manifest has no {wanted}, nor has any other")
        return {entry.dag_id: build_dag(entry) for entry in entries}
    dags: dict[str, DAG] = {}
    unbuilt: list[DefinitionError] = []
    for entry in entries:
        try:
            dags[entry.dag_id] = _usable(build_dag(entry))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
            problem = f"no DAG can be built of it ({reason}). Correct it and apply it again."
            unbuilt.append(in_store(entry.tenant, entry.slug, entry.version, problem))
    # Where the folder is not ours to write, the DAG is missing all the same; only the reason is not shown.
    with suppress(OSError):
        note_unbuilt(path, unbuilt)
    return dags


def _usable(dag: DAG) -> DAG:
    """``dag``, when Airflow will take its timetable; else it would count that as an error of the whole file, later."""
    # Imported here because a process that runs a task has no need of it.
    from airflow.serialization.encoders import coerce_to_core_timetable

    coerce_to_core_timetable(dag.timetable).validate()
    return dag


def _is_elsewhere(dag_id: str, path: Path) -> bool:
    others = (other for other in sorted(path.parent.glob("campaigns_*.json")) if other != path)
    return any(entry.dag_id == dag_id for other in others for entry in read_manifest(other))


def raise_definition_errors() -> None:
    """Show the definitions that cannot be used as one import error.

    :raises WrongDefinitions: there are any.
    """
    if get_parsing_context().dag_id is not None:
        return
    found = read_errors(settings().manifests)
    if found:
        raise WrongDefinitions(
            f"{len(found)} definitions cannot be used. Their campaigns keep the last good version, if there was one.\n"
            + "\n".join(f"{error.source}: {error.message}" for error in found)
        )

"""``bongsu apply``, ``lint`` and ``schema``: definitions into the store and into the manifests that Airflow
loads.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from include.cli.output import REFUSED, answer, clear_errors, message_of, say, trace_if_asked
from include.errors import SpecError, SpecProblem
from include.settings import ROOT


@dataclass(frozen=True)
class Applied:
    """A campaign as it now is in the store and in its manifest."""

    tenant: str
    slug: str
    dag_id: str
    version: int
    changed: bool
    dag_file: Path


def apply(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Definitions; by default those in all tenants' folders.", show_default=False),
    ] = None,
) -> None:
    """Check definitions, keep each as a version in the store, and let Airflow build their DAGs. Nothing is
    sent.
    """
    with clear_errors():
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.settings import settings

        folder = settings().customer_files
        chosen = list(files or definitions_in(folder))
        with ensure(Level.databases, say) as services:
            applied, broken = apply_all(chosen, all_there_are=not files)
            for one in applied:
                answer(f"{one.dag_id} version {one.version} {'applied' if one.changed else 'unchanged'}")
            for error in broken:
                say(f"Error: {error}")
            if services.has_airflow:
                ask_for_parse([one for one in applied if one.changed])
        if not chosen:
            answer(f"No definitions in the tenants' folders below {folder}.")
        if broken:
            raise typer.Exit(REFUSED)


def definitions_in(folder: Path) -> list[Path]:
    """The definitions of all tenants, each in its tenant's folder below the one of customer files."""
    return sorted(folder.glob("*/*.y*ml"))


def apply_all(files: Sequence[Path], *, all_there_are: bool = False) -> tuple[list[Applied], list[SpecError]]:
    """Put the definitions into force and compile the manifests; a broken one keeps its last good version and holds up
    none of the others. A file that was listed as broken stays so until it is applied well or is gone.

    :param all_there_are: broken files that are not among ``files`` are forgotten, too.
    :returns: what was applied, and what is wrong with the others.
    """
    from include.campaigns.document import ROOT_FIELD
    from include.campaigns.manifest import DefinitionError, compile_manifests, listed_files
    from include.cli.store import platform
    from include.settings import settings

    applied: list[Applied] = []
    broken: dict[Path, SpecError] = {}
    defined: dict[str, Path] = {}
    for file in files:
        try:
            applied.append(_apply(file, defined))
        except SpecError as error:
            broken[file] = error
        except Exception as error:
            trace_if_asked()
            problem = f"it was not applied ({message_of(error)})"
            broken[file] = SpecError(file.name, [SpecProblem(ROOT_FIELD, problem, "Nothing of it was changed.")])
    named = {_listed_as(file) for file in files}
    errors = [DefinitionError(_listed_as(file), "\n".join(map(str, e.problems))) for file, e in broken.items()]
    if not all_there_are:
        before = listed_files(settings().manifests)
        errors += [e for e in before if e.source not in named and (ROOT / e.source).exists()]
    with platform() as connection:
        compile_manifests(connection, settings().manifests, errors)
    # No DAG is known from this file, so Airflow has no other way to be asked for it; where the files are not ours to
    # touch, it looks at its next turn.
    with suppress(PermissionError):
        (ROOT / "dags" / "definition_errors.py").touch()
    return applied, list(broken.values())


def _listed_as(file: Path) -> str:
    """A file as the list of broken ones names it: from the project's root, or with its whole path."""
    path = Path(os.path.realpath(file))  # Path.resolve raises for a link to itself
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def apply_file(file: Path) -> Applied:
    """Put one definition into force.

    :raises SpecError: it is wrong; the store and the manifests keep the last good version.
    """
    applied, broken = apply_all([file])
    if broken:
        raise broken[0]
    return applied[0]


def _apply(file: Path, defined: dict[str, Path]) -> Applied:
    """Put one definition into force.

    :param defined: the files of this call by their campaign; the file is added.
    """
    from include.campaigns.apply import apply as put_into_force
    from include.campaigns.definition import load_definition
    from include.cli.store import tenant_store
    from include.store import UnknownTenant

    spec = load_definition(file)
    if (other := defined.setdefault(spec.dag_id, file)) != file:
        problem = f"{other.name} defines {spec.tenant}/{spec.slug}, too"
        raise SpecError(file.name, [SpecProblem("slug", problem, "Remove one of them, or give it another slug.")])
    try:
        with tenant_store(spec.tenant) as (store, _):
            done = put_into_force(store, spec, datetime.now(UTC))
    except UnknownTenant as error:
        fix = f"Correct it, or add the tenant with: bongsu tenant add {spec.tenant}"
        raise SpecError(file.name, [SpecProblem("tenant", f"there is no tenant {spec.tenant!r}", fix)]) from error
    dag_file = ROOT / "dags" / f"campaigns_{done.shard:02d}.py"
    return Applied(spec.tenant, spec.slug, done.dag_id, done.version, done.changed, dag_file)


def ask_for_parse(applied: Sequence[Applied]) -> None:
    """Ask Airflow to build the DAGs now; without an answer it does so at its next look."""
    from include.cli.airflow_api import AirflowRefused, airflow
    from include.errors import Unavailable

    try:
        with airflow() as session:
            for one in applied:
                session.reparse(session.dag(one.dag_id), one.dag_file)
    except (Unavailable, AirflowRefused) as error:
        say(f"{error} It builds the DAGs at its next look at the file.")


def lint(files: Annotated[list[Path], typer.Argument(help="Definitions to check.")]) -> None:
    """Check definitions, and the headers of the files that are there, without storing anything: every mistake with its
    line, field and fix. Exit code 2 if there are any; a remark is none.
    """
    with clear_errors():
        from include.audience.file_check import check_files
        from include.campaigns.definition import load_definition
        from include.campaigns.remarks import remarks

        broken = 0
        for file in files:
            try:
                spec = load_definition(file)
            except SpecError as error:
                say(str(error))
                broken += 1
                continue
            checked = check_files(spec)
            for problem in checked.problems:
                say(f"{file.name}: {problem}.")
            if checked.problems:
                broken += 1
                continue
            answer(f"{file}: fine, campaign {spec.slug} of tenant {spec.tenant}")
            for remark in (*remarks(spec, datetime.now(UTC)), *(f"{remark}." for remark in checked.remarks)):
                say(f"{file.name}: remark: {remark}")
        if broken:
            raise typer.Exit(REFUSED)


def schema() -> None:
    """Print the JSON schema of a definition."""
    with clear_errors():
        from include.campaigns.definition import schema_text

        answer(schema_text().rstrip())

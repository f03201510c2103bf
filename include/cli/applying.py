"""``bongsu apply``, ``lint`` and ``schema``: definitions into the store and into the manifests that Airflow
loads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from include.cli.output import REFUSED, answer, clear_errors, say
from include.errors import SpecError
from include.settings import ROOT


@dataclass(frozen=True)
class Applied:
    """A campaign as it now is in the store and in its manifest."""

    tenant: str
    slug: str
    dag_id: str
    campaign_id: int
    version: int
    changed: bool
    dag_file: Path


def apply(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Definitions; by default all of campaigns/*.yaml.", show_default=False),
    ] = None,
) -> None:
    """Check definitions, keep each as a version in the store, and let Airflow build their DAGs. Nothing is
    sent.
    """
    with clear_errors():
        from include.embedded.client import ensure
        from include.embedded.state import Level

        chosen = list(files or sorted(ROOT.glob("campaigns/*.y*ml")))
        if not chosen:
            answer(f"No definitions in {ROOT / 'campaigns'}.")
            return
        with ensure(Level.databases, say):
            broken = apply_all(chosen)
        if broken:
            raise typer.Exit(REFUSED)


def apply_file(file: Path) -> Applied:
    """Apply one file.

    :raises SpecError: the definition is wrong; the store and the manifests keep the last good version.
    """
    raise NotImplementedError


def reparse(applied: Applied) -> None:
    """Ask Airflow to build the DAG at once, when it is up; else it does when it starts."""


def apply_all(files: Sequence[Path]) -> int:
    """Apply each file; one that is broken is said and keeps its last good version. How many were broken."""
    broken = 0
    for file in files:
        try:
            applied = apply_file(file)
        except SpecError as error:
            say(f"Error: {error}")
            broken += 1
            continue
        state = "applied" if applied.changed else "unchanged"
        answer(f"{file.name}: {applied.dag_id} version {applied.version} {state}")
        reparse(applied)
    return broken


def lint(files: Annotated[list[Path], typer.Argument(help="Definitions to check.")]) -> None:
    """Check definitions without storing anything: every mistake with its line, field and fix. Exit code 2 if
    there are any.
    """
    with clear_errors():
        from include.campaigns.definition import load_definition

        broken = 0
        for file in files:
            try:
                spec = load_definition(file)
                answer(f"{file}: fine, campaign {spec.slug} of tenant {spec.tenant}")
            except SpecError as error:
                say(str(error))
                broken += 1
        if broken:
            raise typer.Exit(REFUSED)


def schema() -> None:
    """Print the JSON schema of a definition."""
    with clear_errors():
        from include.campaigns.definition import schema_text

        answer(schema_text().rstrip())

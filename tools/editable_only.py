"""The project's build backend: setuptools for an editable install, a sentence for everything else.

What one installs is the checkout or the image. A wheel would lack the SQL, the DAG folder and the tools, and would put
``include``, ``hooks`` and ``operators`` into a shared ``site-packages``, where other Airflow projects have theirs.
"""

import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

from setuptools import build_meta

get_requires_for_build_editable = build_meta.get_requires_for_build_editable


def prepare_metadata_for_build_editable(*arguments: Any) -> Any:
    """The metadata of an editable install, as setuptools makes it."""
    made = build_meta.prepare_metadata_for_build_editable(*arguments)
    _remove_draft()
    return made


def build_editable(*arguments: Any) -> Any:
    """An editable install, as setuptools makes it."""
    made = build_meta.build_editable(*arguments)
    _remove_draft()
    return made


def _remove_draft() -> None:
    """Remove what setuptools leaves in the checkout when an isolated build asks for its requirements.

    It has the same entry points as the install: with the checkout on PYTHONPATH, Airflow would find each of them twice.
    """
    shutil.rmtree(Path("bongsu.egg-info"), ignore_errors=True)


def _refuse(*_: object, **__: object) -> NoReturn:
    sys.exit(
        "Bongsu is not built as a distribution: it runs from its checkout or from the image of its Dockerfile. "
        "Use: pip install --no-deps --editable . (docs/operations/existing-airflow.md)"
    )


get_requires_for_build_wheel = get_requires_for_build_sdist = build_wheel = build_sdist = _refuse

"""The project's build backend: setuptools for an editable install, a sentence for everything else.

What one installs is the checkout or the image. A wheel would lack the SQL, the DAG folder and the tools, and would put
``include``, ``hooks`` and ``operators`` into a shared ``site-packages``, where other Airflow projects have theirs.
"""

import sys
from typing import NoReturn

from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    prepare_metadata_for_build_editable,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
]


def _refuse(*_: object, **__: object) -> NoReturn:
    sys.exit(
        "Bongsu is not built as a distribution: it runs from its checkout or from the image of its Dockerfile. "
        "Use: pip install --no-deps --editable . (docs/operations/existing-airflow.md)"
    )


get_requires_for_build_wheel = get_requires_for_build_sdist = build_wheel = build_sdist = _refuse

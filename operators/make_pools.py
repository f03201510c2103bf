"""Creates the pools of the SMS lines where they are missing, on this machine's Airflow and on a deployed one.

A pool that is there keeps its slots: a line that somebody slowed down or stopped stays so over every start.
Run as ``python -m operators.make_pools`` after ``airflow db migrate``.
"""

from collections.abc import Iterable

from airflow.models.pool import Pool
from airflow.utils.session import create_session

from include.embedded.seed import LINES
from operators.line_pools import pool_of

SLOTS = 2
"""Chunks of one line that are handed over at a time; the line's server takes one after the other."""


def make_pools(lines: Iterable[int]) -> list[str]:
    """Create what is missing and commit; the names of the pools that were created."""
    created = []
    with create_session() as session:
        for line in lines:
            if Pool.get_pool(pool_of(line), session=session) is None:
                description = f"Tasks that hand over to SMS line {line}"
                session.add(Pool(pool=pool_of(line), slots=SLOTS, description=description, include_deferred=False))
                created.append(pool_of(line))
    return created


if __name__ == "__main__":
    print(f"Pools created: {', '.join(make_pools(LINES)) or 'none, all are there'}")

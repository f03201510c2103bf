"""Where a run's targets stand between the import and the freeze: in a table of the run's own."""

from include.queries import query

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"


def staging_table(run_id: int) -> str:
    """The staging table of a run, as SQL; made by ``bongsu.open_staging``."""
    return f"staging.run_{run_id:d}"


def staged_query(name: str, run_id: int) -> str:
    """The query ``name`` with the run's staging table for ``{staged}``."""
    return query(name).format(staged=staging_table(run_id))

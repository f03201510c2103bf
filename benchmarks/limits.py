"""What the databases can do without us."""

from pathlib import Path

import psycopg
from psycopg import sql

from sandbox.customers import HEADER


def copy_file(owner: psycopg.Connection, file: Path) -> None:
    """COPY a customer file as it is into an unlogged table of text columns."""
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in HEADER)
    with owner.transaction(force_rollback=True):
        owner.execute(sql.SQL("CREATE UNLOGGED TABLE bench_copy ({})").format(columns))
        with (
            owner.cursor().copy("COPY bench_copy FROM STDIN WITH (FORMAT csv, HEADER true)") as copy,
            file.open("rb") as source,
        ):
            while block := source.read(1 << 20):
                copy.write(block)

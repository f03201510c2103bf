"""What the databases can do without us."""

from pathlib import Path

import psycopg


def copy_file(owner: psycopg.Connection, file: Path) -> None:
    """COPY a customer file, undivided, into an unlogged table of one text column per row."""
    with owner.transaction(force_rollback=True):
        owner.execute("CREATE UNLOGGED TABLE bench_copy (line text)")
        with (
            owner.cursor().copy(
                "COPY bench_copy FROM STDIN WITH (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x03')"
            ) as copy,
            file.open("rb") as source,
        ):
            while block := source.read(1 << 20):
                copy.write(block)

"""Numbers that must not be written to: a list from a file into the store."""

from pathlib import Path
from typing import Literal

import psycopg

from include.audience.phones import normalise
from include.audience.reader import open_table
from include.errors import MalformedFile
from include.privacy.cipher import KeyRing
from include.queries import query


def import_suppressions(
    store: psycopg.Connection,
    ring: KeyRing,
    tenant_id: int,
    path: Path,
    reason: Literal["suppressed", "opted_out"] = "suppressed",
    column: str | None = None,
) -> int:
    """Add every number of ``path`` to the tenant's suppressions, all or none; how many rows were read.

    :param path: CSV or XLSX with a header; the numbers stand in ``column``, by default the first.
    :raises MalformedFile: a row holds no phone number; a list that must not be written to is not half-read.
    """
    table = open_table(path)
    if column is not None and column not in table.header:
        raise MalformedFile(str(path), 1, f"there is no column {column!r}", f"It has: {', '.join(table.header)}")
    place = table.header.index(column) if column else 0
    read = 0
    with store.transaction():
        store.execute("CREATE TEMPORARY TABLE refusals (phone_index bytea NOT NULL) ON COMMIT DROP")
        with store.cursor() as cursor, cursor.copy("COPY refusals (phone_index) FROM STDIN") as copy:
            for first_row, rows in table.batches():
                for row_no, row in enumerate(rows, first_row):
                    number, problem = normalise(row[place])
                    if number is None:
                        raise MalformedFile(
                            str(path),
                            row_no,
                            f"{table.header[place]} is not a mobile number ({problem})",
                            "Correct or remove the row; nothing of the list was stored.",
                        )
                    copy.write_row((ring.blind_index(number),))
                read += len(rows)
        values = {"tenant": tenant_id, "reason": reason, "source": path.name}
        store.execute(query("audience/suppress"), values)
    return read

"""Numbers that must not be written to: a list from a file into the store."""

from pathlib import Path
from typing import Literal

import psycopg

from include.audience.header import folded, listed, shown
from include.audience.phones import normalise
from include.audience.reader import Table, open_table
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
    :raises MalformedFile: the header looks like a number or a person, or a row holds no phone number; a list that
        must not be written to is not half-read.
    """
    table = open_table(path)
    place = _place(table, column)
    read = 0
    with store.transaction():
        store.execute("CREATE TEMPORARY TABLE refusals (phone_index bytea NOT NULL) ON COMMIT DROP")
        with store.cursor() as cursor, cursor.copy("COPY refusals (phone_index) FROM STDIN") as copy:
            for first_row, rows in table.batches():
                for row_no, row in enumerate(rows, first_row):
                    number, problem = normalise(row[place])
                    if number is None:
                        raise table.malformed(
                            row_no,
                            f"{shown(table.header[place])} is not a mobile number ({problem})",
                            "Correct or remove the row; nothing of the list was stored",
                        )
                    copy.write_row((ring.blind_index(number),))
                read += len(rows)
        values = {"tenant": tenant_id, "reason": reason, "source": path.name}
        store.execute(query("audience/suppress"), values)
    return read


def _place(table: Table, column: str | None) -> int:
    """The place of the numbers in a row."""
    if column is None:
        if any(map(str.isalpha, table.header[0])):
            return 0
        raise table.malformed(
            table.header_row,
            "it looks like a number, not like a header",
            "Add a header row, for example phone, or name the column with --column; nothing of the list was stored",
        )
    if folded(column) not in table.header:
        raise table.malformed(
            table.header_row, f"there is no column {shown(column)}", f"It has: {listed(table.header)}"
        )
    return table.header.index(folded(column))

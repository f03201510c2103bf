"""What every kind of customer file becomes: a header, and batches of rows with their row numbers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path

from include.audience.header import PERSONAL_FIX, folded, personal_columns, shown
from include.errors import MalformedFile

Row = list[str]


class Table(ABC):
    """A customer file, opened: its header is checked and it is known to have rows.

    :ivar header: column names, folded (:func:`include.audience.header.folded`); none looks like a person's data.
    :ivar header_row: the row they stand in.
    :ivar encoding: of a text file; ``None`` for a workbook.
    :ivar delimiter: of a text file; ``None`` for a workbook.
    """

    encoding: str | None = None
    delimiter: str | None = None
    ragged = False  # whether a row may end before the header does, as in a workbook

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: list[str] = []
        self.header_row = 0

    @abstractmethod
    def _records(self) -> AbstractContextManager[Iterator[Row]]:
        """All records from the beginning, header and blank ones included."""

    @abstractmethod
    def _explain(self, error: Exception, row: int) -> MalformedFile | None:
        """What ``error``, raised while reading ``row``, means; ``None`` when it is not about the file."""

    def batches(self, size: int = 10_000, after: int = 0) -> Iterator[tuple[int, list[Row]]]:
        """Runs of consecutive rows: the first one's row number, and the values in the header's order.

        Row numbers are those a spreadsheet shows: the header is row 1, a record with line breaks inside
        quotes is one row. Blank rows are counted and left out, so a run ends before one.

        :param after: the last row that is not wanted; the header is never given out.
        :raises MalformedFile: at the first row that cannot be read, after all rows before it were given out.
        """
        with self._records() as records:
            number = sum(1 for _ in islice(records, max(after, self.header_row)))
            while True:
                rows: list[Row] = []
                try:
                    rows.extend(islice(records, size))  # keeps what came before an error
                    failure = None
                except Exception as error:
                    failure = self._explain(error, number + len(rows) + 1)
                    if failure is None:
                        raise
                    failure.__cause__ = error
                yield from self.runs(number + 1, rows)
                if failure is not None:
                    raise failure
                if len(rows) < size:
                    return
                number += len(rows)

    def runs(self, first: int, rows: list[Row]) -> Iterator[tuple[int, list[Row]]]:
        """Consecutive records, the first of row ``first``, as :meth:`batches` gives them.

        :raises MalformedFile: at the first that does not fit the header.
        """
        width = len(self.header)
        if all(map(width.__eq__, map(len, rows))) and all(map(any, rows)):
            if rows:
                yield first, rows
            return
        run: list[Row] = []
        start = first
        for number, row in enumerate(rows, first):
            fitted = self._fitted(row, width)
            if fitted:
                run.append(fitted)
                continue
            if run:
                yield start, run
            run, start = [], number + 1
            if fitted is None:
                raise self.malformed(
                    number,
                    f"it has {len(row)} fields, the header has {width}",
                    "Put a value that contains the delimiter in quotes, or add the missing fields",
                )
        if run:
            yield start, run

    def _read_header(self) -> None:
        """Find, check and keep the header, and make sure that a row follows it."""
        with self._records() as records:
            number = 0
            try:
                for number, record in enumerate(records, 1):
                    if not any(map(str.strip, record)):
                        continue
                    if self.header:
                        return
                    self.header, self.header_row = self._checked_header(record, number), number
            except Exception as error:
                failure = self._explain(error, number + 1)
                if failure is None:
                    raise
                raise failure from error
        if self.header:
            raise self.malformed(None, "it has a header and no rows", "Add the recipients below the header")
        raise self.malformed(None, "it is empty", "It needs a header row and a row for each recipient")

    def _checked_header(self, record: Row, number: int) -> list[str]:
        names = list(map(folded, record))
        while names and not names[-1]:
            names.pop()
        if places := personal_columns(names):
            where = f"column {places[0]}" if len(places) == 1 else f"columns {', '.join(map(str, places[:5]))}"
            raise self.malformed(number, f"it looks like a person, not like a header ({where})", PERSONAL_FIX)
        seen: dict[str, int] = {}
        for position, name in enumerate(names, 1):
            if not name:
                raise self.malformed(
                    number, f"column {position} of the header has no name", "Name the column or remove it"
                )
            if name in seen:
                raise self.malformed(
                    number,
                    f"columns {seen[name]} and {position} of the header have the same name, {shown(name)}",
                    "Rename one of them",
                )
            seen[name] = position
        return names

    def _fitted(self, row: Row, width: int) -> Row | None:
        """The row with as many fields as the header; empty for a blank row, ``None`` when it does not fit."""
        if not any(row):
            return []
        if len(row) == width:
            return row
        if len(row) > width and not any(row[width:]):
            return row[:width]
        if not any(map(str.strip, row)):
            return []
        if len(row) < width and self.ragged:
            return row + [""] * (width - len(row))
        return None

    def malformed(self, row: int | None, problem: str, fix: str) -> MalformedFile:
        """An error about this file, by the name its sender knows."""
        return MalformedFile(self.path.name, row, problem, fix)

"""XLSX workbooks, read row by row.

Cells become the text a person sees in a plain column: whole numbers without decimals (a phone number stored
as ``1012345678.0`` is ``1012345678``), dates in ISO form, ``TRUE`` and ``FALSE``, nothing as the empty
string. A formula is its stored result. What a person does not see is not sent to: hidden sheets are passed over, and a
sheet with hidden rows is refused.
"""

import datetime as dt
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

from openpyxl.utils.exceptions import InvalidFileException

from include.audience.header import listed
from include.audience.table import Row, Table
from include.audience.workbook import Sheet, TooLarge, Workbook
from include.errors import MalformedFile, Refused

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    ExpatError,
    InvalidFileException,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
)
_FIX = "Open it in the spreadsheet program and save it as .xlsx or as CSV UTF-8"


class WorkbookTable(Table):
    """One sheet of a workbook."""

    ragged = True

    def __init__(self, path: Path, sheet: str | None) -> None:
        super().__init__(path)
        self.sheet = sheet
        self._read_header()

    @contextmanager
    def _records(self) -> Iterator[Iterator[Row]]:
        with self.path.open("rb") as file:
            try:
                book = Workbook(file)
            except (TooLarge, *_BROKEN) as error:
                raise self._unreadable(error, None) from error
            yield self._rows(book, self._chosen(book.sheets))

    def _rows(self, book: Workbook, sheet: Sheet) -> Iterator[Row]:
        """Every row, the absent ones too; at the end none may have been hidden."""
        last = hidden = 0
        for number, visible, cells in book.rows(sheet):
            for _ in range(last + 1, number):
                yield []
            row = [""] * (cells[-1][0] if cells else 0)
            for column, value in cells:
                row[column - 1] = value if type(value) is str else _shown(value)
            hidden += not visible and any(row)
            yield row
            last = number
        if hidden:
            raise self.malformed(
                None,
                f"{hidden:,} of its rows are hidden, by a filter or by hand",
                "Remove the filter and show the rows, or copy the visible rows into a new workbook",
            )

    def _chosen(self, sheets: list[Sheet]) -> Sheet:
        """The sheet that was asked for, else the first that a person sees."""
        if not sheets:
            raise self.malformed(None, "it has no sheet with cells", _FIX)
        if self.sheet is None:
            seen = [sheet for sheet in sheets if sheet.visible]
            if not seen:
                raise self.malformed(None, "all of its sheets are hidden", "Show the one with the recipients")
            return seen[0]
        for sheet in sheets:
            if sheet.name == self.sheet:
                if sheet.visible:
                    return sheet
                raise self.malformed(None, f"its sheet {self.sheet} is hidden", "Show it, or name another one")
        raise Refused(f"{self.path.name} has no sheet {self.sheet}. It has: {listed([sheet.name for sheet in sheets])}")

    def _explain(self, error: Exception, row: int) -> MalformedFile | None:
        return self._unreadable(error, row) if isinstance(error, (TooLarge, *_BROKEN)) else None

    def _unreadable(self, error: Exception, row: int | None) -> MalformedFile:
        if isinstance(error, TooLarge):
            return self.malformed(row, f"the workbook is too large: {error}", "Save it as CSV UTF-8")
        return self.malformed(row, "the workbook is damaged or is not an .xlsx file", _FIX)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)

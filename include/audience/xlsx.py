"""XLSX workbooks, read row by row.

Cells become the text a person sees in a plain column: whole numbers without decimals (a phone number stored
as ``1012345678.0`` is ``1012345678``), dates in ISO form, ``TRUE`` and ``FALSE``, nothing as the empty
string. A formula is its stored result. The workbook's table of shared strings is in memory while it is
read, the rows are not.
"""

import datetime as dt
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from include.audience.table import Row, Table
from include.errors import MalformedFile, Refused

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
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
        with self.path.open("rb") as file:  # opened here, because openpyxl refuses a path by its ending
            try:
                book = load_workbook(file, read_only=True, data_only=True)
            except _BROKEN as error:
                raise self._broken(None) from error
            names = [worksheet.title for worksheet in book.worksheets]
            if not names:
                raise self.malformed(None, "it has no sheet with cells", _FIX)
            if self.sheet is not None and self.sheet not in names:
                raise Refused(f"{self.path.name} has no sheet {self.sheet}. It has: {', '.join(names)}")
            worksheet = book[self.sheet or names[0]]
            worksheet.reset_dimensions()  # some programs write a wrong size, which would cut the rows
            yield (
                [value if type(value) is str else _shown(value) for value in cells]
                for cells in worksheet.iter_rows(values_only=True)
            )

    def _explain(self, error: Exception, row: int) -> MalformedFile | None:
        return self._broken(row) if isinstance(error, _BROKEN) else None

    def _broken(self, row: int | None) -> MalformedFile:
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

"""Customer files as they come: CSV in any usual encoding and delimiter, and XLSX, read as a stream.

:func:`open_table` looks at the content, not at the file's ending: a workbook called ``.csv`` is read as a
workbook.
:func:`resolve_columns` gives the columns the names that templates use.
"""

from pathlib import Path

from include.audience.columns import ColumnPlan, resolve_columns
from include.audience.table import Table
from include.audience.text import TextTable
from include.errors import MalformedFile, Refused

__all__ = ["ColumnPlan", "Table", "open_table", "resolve_columns"]

_ZIP = b"PK\x03\x04"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_MARKUP = (b"<html", b"<!doctype", b"<table", b"<?xml", b"<head", b"<meta")
_XLSX_FIX = "Open it in the spreadsheet program and save it as .xlsx or as CSV UTF-8"


def open_table(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None, sheet: str | None = None
) -> Table:
    """Open a customer file and check its header.

    :param encoding: of a text file; found out when not given.
    :param delimiter: of a text file, one character or ``tab``; found out from the header when not given.
    :param sheet: of a workbook; the first one when not given.
    :raises MalformedFile: when the file cannot be read; the error names the row and the fix.
    :raises Refused: when ``encoding``, ``delimiter`` or ``sheet`` is not possible.
    """
    if not path.is_file():
        raise MalformedFile(path.name, None, "there is no such file", "Check the name and the folder in the campaign")
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise MalformedFile(path.name, None, "it is empty", "It needs a header row and a row for each recipient")
    if head.startswith(_ZIP):
        # openpyxl brings numpy: 0.1 s and 20 MB that most files do not need
        from include.audience.xlsx import WorkbookTable

        return WorkbookTable(path, sheet)
    if head.startswith(_OLE):
        raise _old_workbook(path)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_MARKUP):
        raise MalformedFile(path.name, None, "it is a web page or XML, not a table", _XLSX_FIX)
    if sheet is not None:
        raise Refused(f"{path.name} is a text file and has no sheet {sheet}. Remove the sheet from the campaign")
    return TextTable(path, encoding, delimiter)


def _old_workbook(path: Path) -> MalformedFile:
    """An OLE container is either a workbook of before 2007 or an encrypted one of today."""
    marker = "EncryptedPackage".encode("utf-16-le")
    with path.open("rb") as file:
        tail = b""
        while chunk := file.read(1 << 20):
            if marker in tail + chunk:
                return MalformedFile(
                    path.name,
                    None,
                    "it is protected with a password",
                    "Remove the password and save it again",
                )
            tail = chunk[-len(marker) :]
    return MalformedFile(path.name, None, "it is a workbook of the old .xls kind", _XLSX_FIX)

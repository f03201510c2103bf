"""The parts of an XLSX workbook, unpacked and read within limits: a few megabytes can unpack to gigabytes.

An XLSX file is a zip file of XML parts. How large a part is stands in the zip's directory, and no more than that is
ever unpacked of it, so a directory that lies only damages the file. Of a sheet one row is in memory at a time, of the
table of shared strings its texts.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, cast
from xml.etree.ElementTree import Element, iterparse
from xml.parsers import expat

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import ROW_TAG, WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

MEBIBYTE = 1 << 20
LARGEST_SHEET = 1024 * MEBIBYTE
LARGEST_TEXTS = 64 * MEBIBYTE
"""Of the table of shared strings, which takes up to five times as much memory."""
LARGEST_PART = 2 * MEBIBYTE
"""Of any other part, which takes up to a hundred times as much memory."""
LARGEST_ELEMENT = 8 * MEBIBYTE
"""Of one row, or one text."""
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384
"""What a sheet has in a spreadsheet program."""
HIGHEST_RATIO, RATIO_FROM = 200, 16 * MEBIBYTE
"""Unpacked to packed bytes, in a part of at least so many: tables come to thirty."""

_STRING_TAG = f"{{{SHEET_MAIN_NS}}}si"


class TooLarge(Exception):
    """A workbook that unpacks to more than is read; says what of it."""


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook.

    :param visible: false where a person has hidden it.
    :param part: its place in the zip file.
    """

    name: str
    visible: bool
    part: str


class Workbook:
    """An opened workbook.

    :param file: opened for reading bytes.
    :raises TooLarge: a part is over its limit.
    :raises Exception: of many kinds when it is damaged or no workbook.
    :ivar sheets: those with cells, in their order.
    """

    def __init__(self, file: IO[bytes]) -> None:
        reader: Any = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
        reader.archive = self._parts = _Parts(file)
        reader.read_manifest()
        self._texts = self._read_texts(reader.package)
        reader.read_workbook()
        apply_stylesheet(self._parts, reader.wb)
        self._book = reader.wb
        there = set(self._parts.namelist())
        self.sheets = [
            Sheet(sheet.name, sheet.state == "visible", link.target)
            for sheet, link in reader.parser.find_sheets()
            if "chartsheet" not in link.Type and link.target in there
        ]

    def rows(self, sheet: Sheet) -> Iterator[tuple[int, bool, list[tuple[int, object]]]]:
        """The rows that stand in the sheet: number, whether a person sees it, and column and value of its cells.

        :raises ValueError: the rows are not in their order.
        :raises TooLarge: there are more than a spreadsheet program can have.
        """
        with self._parts.open_large(sheet.part, LARGEST_SHEET, "a sheet") as source:
            parser: Any = WorkSheetParser(
                source,
                self._texts,
                data_only=True,
                epoch=self._book.epoch,
                date_formats=self._book._date_formats,
                timedelta_formats=self._book._timedelta_formats,
            )
            last = 0
            for element in _elements(source, ROW_TAG):
                if len(element) > MOST_COLUMNS:
                    raise TooLarge(f"a row has more than {MOST_COLUMNS:,} cells")
                number, cells = parser.parse_row(element)
                parser.row_dimensions.clear()  # one for each row, which nobody asks for
                if number <= last:
                    raise ValueError("rows that are not in their order")
                if number > MOST_ROWS:
                    raise TooLarge(f"a sheet has more than {MOST_ROWS:,} rows")
                last = number
                visible = element.get("hidden") not in ("1", "true")
                yield number, visible, [(cell["column"], cell["value"]) for cell in cells]

    def _read_texts(self, package: Any) -> list[str]:
        """The table of shared strings, to which cells point by place."""
        part = package.find(SHARED_STRINGS)
        if part is None:
            return []
        with self._parts.open_large(part.PartName[1:], LARGEST_TEXTS, "its table of texts") as source:
            text: Any = Text
            return [text.from_tree(element).content.replace("x005F_", "") for element in _elements(source, _STRING_TAG)]


class _Parts(zipfile.ZipFile):
    """The zip file: opens no part that is larger than its limit."""

    def open(self, name: Any, *arguments: Any, **options: Any) -> IO[bytes]:
        """As the zip file does, for one of the small parts."""
        return self.open_large(name, LARGEST_PART, "a part of it")

    def open_large(self, name: Any, limit: int, words: str) -> IO[bytes]:
        """Open a part for reading.

        :raises TooLarge: it unpacks to more than ``limit`` bytes, or to far more than it takes; ``words`` name it.
        """
        part = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise zipfile.BadZipFile("packed in a way that workbooks are not")  # and unpacked without bounds
        if part.file_size > limit:
            raise TooLarge(
                f"{words} unpacks to {part.file_size / MEBIBYTE:,.0f} MB, the limit is {limit // MEBIBYTE:,}"
            )
        if part.file_size > max(RATIO_FROM, HIGHEST_RATIO * part.compress_size):
            raise TooLarge(f"{words} unpacks to more than {HIGHEST_RATIO} times its size")
        return super().open(part)


class _Metered:
    """A part being read, without a document type, and with a limit on how much is read between two :meth:`forget`."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._left = source, LARGEST_ELEMENT
        self._prolog: expat.XMLParserType | None = expat.ParserCreate()
        self._prolog.StartDoctypeDeclHandler = _refuse_doctype
        self._prolog.StartElementHandler = self._begin

    def forget(self) -> None:
        self._left = LARGEST_ELEMENT

    def _begin(self, *_: object) -> None:
        self._prolog = None

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        if self._prolog is not None:
            self._prolog.Parse(data, False)
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge(f"a row or a text is longer than {LARGEST_ELEMENT // MEBIBYTE} MB")
        return data


def _refuse_doctype(*_: object) -> None:
    raise ValueError("a document type, in which one byte can stand for a gigabyte")


def _elements(source: IO[bytes], tag: str) -> Iterator[Element]:
    """The elements called ``tag``, one at a time and each complete; nothing else is kept of what has been read."""
    metered, above, inside = _Metered(source), list[Element](), 0
    for event, element in iterparse(cast(IO[bytes], metered), events=("start", "end")):
        if event == "start":
            above.append(element)
            inside += element.tag == tag
            continue
        above.pop()
        if element.tag == tag:
            inside -= 1
            if not inside:
                yield element
        if not inside:
            metered.forget()
            if above:
                above[-1].clear()

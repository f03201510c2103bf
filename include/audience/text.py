"""CSV in the encodings and with the delimiters that Korean offices produce.

UTF-8 with or without BOM, else CP949 (which contains EUC-KR): decided on the whole file, in one streaming
pass before the first row is given out, so that a bad byte in row 70,000 is found before anything is stored.
A file has to end with a line break: without one it may have been cut off.
Quoting is strict: a quote that is never closed, or text after a closing quote, is an error with its row and
never a guess.
"""

import codecs
import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from include.audience.table import Row, Table
from include.errors import MalformedFile, Refused

_CHUNK = 1 << 20
_DELIMITERS = (",", "\t", ";")
_NAMED_DELIMITERS = {"comma": ",", "tab": "\t", "\\t": "\t", "semicolon": ";"}
# So many bytes beyond one a character (four Hangul syllables) make a file UTF-8 although a later byte is wrong. CP949
# text passes as UTF-8 for a character or two by accident; UTF-8 text often passes as CP949 to its end (번호: 踰덊샇).
_SURELY_UTF8 = 8
# NUL, and the unit separator: rows are stored with it between their values, so a value must not have it.
_NEVER = (0x00, 0x1F)
_SAVE_AS = "Save the file as CSV UTF-8"
_QUOTE_FIX = 'Close the quote; write a quote that belongs to the value twice ("")'


class TextTable(Table):
    """A CSV file."""

    def __init__(self, path: Path, encoding: str | None, delimiter: str | None) -> None:
        super().__init__(path)
        given = None if delimiter is None else _NAMED_DELIMITERS.get(delimiter.lower(), delimiter)
        if given is not None and (len(given) != 1 or given in '"\r\n'):
            raise Refused(f"{path.name}: {delimiter!r} is no delimiter. Use one character, for example a comma, or tab")
        self._delimiter = given
        self.encoding = self._find_encoding(encoding)
        self.delimiter = given or _find_delimiter(path, self.encoding)
        self._read_header()
        self._check_end()

    @property
    def in_blocks(self) -> bool:
        """Whether :mod:`include.audience.blocks` can cut the file."""
        return self.encoding in ("utf-8", "utf-8-sig", "cp949")

    def batches(self, size: int = 10_000, after: int = 0) -> Iterator[tuple[int, list[Row]]]:
        """As :meth:`Table.batches`; at the end once more whether the file is whole, which may have changed since."""
        yield from super().batches(size, after)
        self._check_end()

    @contextmanager
    def _records(self) -> Iterator[Iterator[Row]]:
        with self.path.open(encoding=self.encoding, newline="", buffering=_CHUNK) as file:
            yield csv.reader(file, delimiter=self.delimiter or ",", strict=True)

    def _explain(self, error: Exception, row: int) -> MalformedFile | None:
        if not isinstance(error, csv.Error):
            return None
        reason = str(error)
        if "unexpected end of data" in reason:
            return self.malformed(row, "a quote opened in this row is never closed", _QUOTE_FIX)
        if "field limit" in reason:
            return self.malformed(
                row,
                f"a value is longer than {csv.field_size_limit():,} characters; is a quote not closed?",
                _QUOTE_FIX,
            )
        if "expected after" in reason:
            return self.malformed(row, "text follows a closing quote", _QUOTE_FIX)
        return self.malformed(row, reason, _SAVE_AS)

    def _check_end(self) -> None:
        """Make sure that the last row ends: of a file cut off in its last column nothing else tells."""
        with self.path.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            if file.read() not in (b"\n", b"\r"):
                raise self.malformed(
                    None,
                    "its last row does not end with a line break, as if the file had been cut off",
                    "Check that it is whole; then add a line break at its end, or save it as .xlsx",
                )

    def _find_encoding(self, wanted: str | None) -> str:
        with self.path.open("rb") as file:
            head = file.read(4096)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or head.count(0) * 5 > len(head):
            raise self.malformed(None, 'it is saved as UTF-16 ("Unicode text")', _SAVE_AS)
        if wanted is not None:
            name = _known_encoding(wanted, self.path)
            scan = _scan(self.path, name)
            if scan.bad is not None:
                raise self._undecodable(name, scan)
        else:
            name, scan = self._guess(head.startswith(codecs.BOM_UTF8))
        if scan.control is not None:
            place, byte = scan.control
            what = "a NUL byte" if byte == 0 else f"the control character 0x{byte:02X}"
            raise self.malformed(
                self._row_at(place, name), f"it contains {what}, which no text has", f"{_SAVE_AS} again"
            )
        return name

    def _guess(self, bom: bool) -> tuple[str, "_Scan"]:
        name = "utf-8-sig" if bom else "utf-8"
        unicode = _scan(self.path, name)
        if unicode.bad is None:
            return name, unicode
        if bom or unicode.extra >= _SURELY_UTF8:
            raise self._undecodable(name, unicode)
        korean = _scan(self.path, "cp949")
        if korean.bad is None:
            return "cp949", korean
        if unicode.bad >= korean.bad:
            raise self._undecodable(name, unicode)
        raise self._undecodable("cp949", korean)

    def _undecodable(self, encoding: str, scan: "_Scan") -> MalformedFile:
        assert scan.bad is not None
        with self.path.open("rb") as file:
            file.seek(scan.bad)
            byte = file.read(1)[0]
        label = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
        return self.malformed(
            self._row_at(scan.bad, encoding),
            f"the file is {label}, but byte 0x{byte:02X} in this row is not",
            f"{_SAVE_AS} and check this row",
        )

    def _row_at(self, offset: int, encoding: str) -> int:
        """The number of the row that holds the byte at ``offset``."""
        delimiter = self._delimiter or _find_delimiter(self.path, encoding)
        number = 0
        with self.path.open("rb") as file:
            begin = io.BufferedReader(_Beginning(file, offset))
            lines = io.TextIOWrapper(begin, encoding=encoding, errors="replace", newline="")
            try:
                for _ in csv.reader(lines, delimiter=delimiter):
                    number += 1
            except csv.Error:
                number += 1
        return number


@dataclass(frozen=True)
class _Scan:
    """What one pass over a file found.

    :ivar bad: place of the first byte that does not decode.
    :ivar control: place of the first byte that no text has, and that byte.
    :ivar extra: how many bytes more than characters were decoded before ``bad``.
    """

    bad: int | None
    control: tuple[int, int] | None
    extra: int


def _scan(path: Path, encoding: str) -> _Scan:
    # Errors of utf-8-sig count their place from behind the BOM; those of utf-8 from the beginning.
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    decoder = codecs.getincrementaldecoder(encoding)()
    control: tuple[int, int] | None = None
    position = extra = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            if control is None:
                found = [(position + place, byte) for byte in _NEVER if (place := chunk.find(byte)) >= 0]
                control = min(found, default=None)
            kept = len(decoder.getstate()[0])
            try:
                extra += len(chunk) + kept - len(decoder.decode(chunk, final=not chunk))
            except UnicodeDecodeError as error:
                good = error.object[: error.start]
                extra += len(good) - len(good.decode(encoding, "replace"))
                return _Scan(position - kept + error.start, control, extra)
            extra -= len(decoder.getstate()[0])
            position += len(chunk)
            if not chunk:
                return _Scan(None, control, extra)


def _known_encoding(wanted: str, path: Path) -> str:
    try:
        name = codecs.lookup(wanted).name
        "".encode(name)
    except (LookupError, UnicodeError):
        raise Refused(f"{path.name}: there is no encoding {wanted}. Use utf-8 or cp949, or leave it out") from None
    if name.startswith(("utf-16", "utf-32")):
        raise MalformedFile(path.name, None, f"{wanted} is not read", _SAVE_AS)
    return {"utf-8": "utf-8-sig", "euc_kr": "cp949"}.get(name, name)


def _find_delimiter(path: Path, encoding: str) -> str:
    """The candidate that stands most often in the header, outside quotes."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        text = file.read(1 << 16).lstrip("\r\n")
    counts = dict.fromkeys(_DELIMITERS, 0)
    quoted = False
    for character in text:
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "\r\n":
            break
        elif not quoted and character in counts:
            counts[character] += 1
    return max(counts, key=counts.__getitem__)


class _Beginning(io.RawIOBase):
    """The first bytes of a file, then one letter, so that the last record is never empty."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left, self._ended = file, length, False

    def readable(self) -> bool:
        """A stream for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` from the file up to the length."""
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        if not data and not self._ended:
            data, self._ended = b"x", True
        buffer[: len(data)] = data
        return len(data)

"""A large CSV file as blocks of whole records, so that several processes can read it at once.

A block ends at a line break outside quotes. Whether one is, is told by counting quotes, which holds for every file but
those that misuse them; so who reads a block makes sure that it parses strictly and has as many records as were counted.
A block that begins where a record begins and parses strictly ends where one ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

SIZE = 1 << 20
_LONGEST = 8 * SIZE  # without a line break outside quotes in so many bytes, a quote is not closed


@dataclass(frozen=True)
class Block:
    """Whole records of a file.

    :param offset: its first byte; ``length`` bytes.
    :param first_row: the row number of its first record.
    :param records: how many it has, blank ones included.
    """

    offset: int
    length: int
    first_row: int
    records: int


class UnreadableBlock(Exception):
    """From this block on the file is for one reader: it is malformed, or its quotes mislead."""


def cut(file: BinaryIO) -> Iterator[Block]:
    """The blocks of ``file``, read from its beginning.

    For encodings of which no byte of a longer character is a quote or a line break: UTF-8 and CP949.

    :raises UnreadableBlock: no record ends within sight, or the last one does not end.
    """
    offset, row, rest = 0, 1, b""
    while chunk := file.read(SIZE):
        data = rest + chunk
        records, end = _whole_records(data)
        if end:
            yield Block(offset, end, row, records)
            offset, row, rest = offset + end, row + records, data[end:]
        elif len(data) > _LONGEST:
            raise UnreadableBlock
        else:
            rest = data
    if rest:
        raise UnreadableBlock


def _whole_records(data: bytes) -> tuple[int, int]:
    """How many records end in ``data``, and where the last of them does."""
    parts = data.split(b'"')  # every second one stands in quotes
    end = len(data)
    for place in range(len(parts) - 1, -1, -1):
        begin = end - len(parts[place])
        if place % 2 == 0 and (found := parts[place].rfind(b"\n")) >= 0:
            return sum(part.count(b"\n") for part in parts[::2]), begin + found + 1
        end = begin - 1
    return 0, 0

"""A file cut into blocks is the file, and a block that misleads is noticed."""

import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.audience import blocks
from include.audience.blocks import UnreadableBlock, cut
from include.audience.columns import resolve_columns
from include.audience.crew import Crew, pack_block
from include.audience.packing import Job
from include.audience.reader import open_table
from include.audience.text import TextTable
from include.errors import MalformedFile
from include.privacy.cipher import KeyRing

RING = KeyRing({1: os.urandom(32)}, 1, os.urandom(32))
PIECES = st.lists(
    st.sampled_from(["a", "가", ",", "\n", "\r\n", "\r", '"', '""', '"x,\ny"', "\n\n", "b,c\n"]), max_size=30
)


class Seen:
    """Stands in for the packer: shows the rows that reach it."""

    def pack(self, first_row: int, rows: list[list[str]]) -> bytes:
        return b"".join(f"{first_row + place} {row!r}\n".encode() for place, row in enumerate(rows))


def read_on(table: TextTable, after: int) -> tuple[bytes, str | None]:
    """The rows behind ``after``, and what is wrong with the first that cannot be read."""
    seen = b""
    try:
        for first, rows in table.batches(after=after):
            seen += Seen().pack(first, rows)
    except MalformedFile as error:
        return seen, str(error)
    return seen, None


def in_blocks(table: TextTable) -> tuple[bytes, int]:
    """What the blocks come to, and the last row before one that cannot be read."""
    seen, read, packer = b"", 0, Seen()
    data = table.path.read_bytes()
    try:
        for block in cut(io.BytesIO(data)):
            content = data[block.offset : block.offset + block.length]
            try:
                _, packed = pack_block(table, packer, block, content)  # type: ignore[arg-type]
            except (MalformedFile, UnreadableBlock, csv.Error):
                return seen, read
            seen, read = seen + packed, block.first_row + block.records - 1
    except UnreadableBlock:
        pass
    return seen, read


@given(PIECES, st.integers(1, 40), st.sampled_from(["utf-8", "utf-8-sig", "cp949"]), st.integers(0, 5))
def test_blocks_and_the_rest_are_the_file(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], size: int, encoding: str, lost: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "blocks.csv"
    text = "\nname,x\n1,2\n" + "".join(pieces) + "\n"
    path.write_bytes(text.encode(encoding))
    table = open_table(path)
    assert isinstance(table, TextTable)
    path.write_bytes(text[: len(text) - lost].encode(encoding))  # cut off while it is read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "SIZE", size)
        seen, read = in_blocks(table)
    rest, error = read_on(table, read)
    assert (seen + rest, error) == read_on(table, 0)


def crew_of(path: Path) -> tuple[TextTable, Job]:
    table = open_table(path)
    assert isinstance(table, TextTable)
    columns = resolve_columns(table.header, {})
    return table, Job(1, columns, "{{name|고객}}", None, False, RING, "run:1", ())


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("phone,name\n" + "".join(f"010{n:08d},김\n" for n in range(5_000)), encoding="utf-8")
    return path


def rows_of(path: Path, processes: int, **sizes: int) -> list[tuple[int, int]]:
    table, job = crew_of(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "SIZE", sizes.get("size", 10_000))
        with Crew(processes, path) as members:
            return [(block.first_row, rows) for block, rows, _ in members.pack(table, job)]


def test_processes_give_the_blocks_in_order(people: Path) -> None:
    found = rows_of(people, 2)
    assert len(found) > 5
    assert [first for first, _ in found] == sorted(first for first, _ in found)
    assert sum(rows for _, rows in found) == 5_000


def test_a_process_that_dies_is_an_unreadable_block(people: Path) -> None:
    table, job = crew_of(people)
    with Crew(2, people) as members:
        for member in members._members:
            member._process.kill()
        with pytest.raises(UnreadableBlock):
            list(members.pack(table, job))


def test_nobody_is_left_behind(people: Path) -> None:
    table, job = crew_of(people)
    with Crew(3, people) as members:
        next(members.pack(table, job))
    assert [member._process.poll() is not None for member in members._members] == [True] * 3

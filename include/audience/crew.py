"""Processes that read, judge and seal blocks of a customer file, while the task's own process feeds one COPY.

Each is a fresh interpreter of ``python -m include.audience.crew``: a task of Airflow is itself a fork of a process with
threads, and what it has imported is of no use here. Keys and blocks go over a socket pair, clear text stays in memory,
and a process whose task has gone finds the socket closed and ends.
"""

import csv
import gc
import io
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import BinaryIO, Self

from include.audience.blocks import Block, UnreadableBlock, cut
from include.audience.packing import Job, Packer
from include.audience.text import TextTable

ROOT = Path(__file__).resolve().parents[2]
AHEAD = 3
"""Blocks that a process has been given and that are not fetched yet."""
BATCH = 2_000
"""Rows worked on at once: as many as stay in the processor's cache."""

_ROWS = Struct(">i")
_FAILED = _ROWS.pack(-1)


class Crew:
    """The processes; each gets every ``count``-th block of the file, so that the results come in order.

    They start at once, so that they are ready when the caller knows what the file is.

    :param path: the file; the processes read it themselves.
    """

    def __init__(self, count: int, path: Path) -> None:
        self._file = path.open("rb")
        self._members = [_Member(self._file) for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self._members:
            member.end()
        self._file.close()

    def pack(self, table: TextTable, job: Job) -> Iterator[tuple[Block, int, bytes]]:
        """Each block of the file in order: the rows that it has and their staging rows.

        :raises UnreadableBlock: this block and those after it are for the reader of the whole file.
        """
        for member in self._members:
            member.give((table, job))
        under_way: deque[tuple[Block, _Member]] = deque()
        given = enumerate(cut(self._file))
        while True:
            for number, block in islice(given, AHEAD * len(self._members) - len(under_way)):
                member = self._members[number % len(self._members)]
                member.give(block)
                under_way.append((block, member))
            if not under_way:
                return
            block, member = under_way.popleft()
            yield block, *member.fetch()


class _Member:
    """One process and the socket to it."""

    def __init__(self, file: BinaryIO) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            fds = (theirs.fileno(), file.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-m", "include.audience.crew", *map(str, fds)],
                stdin=subprocess.DEVNULL,
                pass_fds=fds,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
        self.connection = Connection(ours.detach())

    def give(self, work: tuple[TextTable, Job] | Block) -> None:
        with suppress(OSError):  # whether the process still lives shows when the block is fetched
            self.connection.send(work)

    def fetch(self) -> tuple[int, bytes]:
        try:
            head = self.connection.recv_bytes()
            (rows,) = _ROWS.unpack(head)
            if rows >= 0:
                return rows, self.connection.recv_bytes()
        except (EOFError, OSError):
            pass
        raise UnreadableBlock

    def end(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.wait()


def pack_block(table: TextTable, packer: Packer, block: Block, data: bytes) -> tuple[int, bytes]:
    """The rows of a block, and their staging rows.

    :raises Exception: of any kind when the block is not what it was taken for.
    """
    text = data.decode("utf-8" if table.encoding == "utf-8-sig" and block.offset else table.encoding or "utf-8")
    records = csv.reader(io.StringIO(text, newline=""), delimiter=table.delimiter or ",", strict=True)
    row = block.first_row + sum(1 for _ in islice(records, max(0, table.header_row - block.first_row + 1)))
    rows, packed = 0, []
    while batch := list(islice(records, BATCH)):
        for first, run in table.runs(row, batch):
            packed.append(packer.pack(first, run))
            rows += len(run)
        row += len(batch)
    if row != block.first_row + block.records:
        raise UnreadableBlock
    return rows, b"".join(packed)


def main(connection_fd: str, file_fd: str) -> None:
    """Work off blocks until nobody wants more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the task, which closes the socket
    gc.disable()  # rows are lists of strings without cycles; looking for some takes a tenth of the time
    connection, file = Connection(int(connection_fd)), int(file_fd)
    with suppress(EOFError, OSError):
        table, job = connection.recv()
        packer = Packer(job)
        while True:
            block: Block = connection.recv()
            try:
                rows, packed = pack_block(table, packer, block, os.pread(file, block.length, block.offset))
            except Exception:  # the task reads on from here by itself and finds the same, with its row
                connection.send_bytes(_FAILED)
                return
            connection.send_bytes(_ROWS.pack(rows))
            connection.send_bytes(packed)


if __name__ == "__main__":
    main(*sys.argv[1:])

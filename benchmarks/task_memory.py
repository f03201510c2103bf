"""Watches from outside what memory the tasks of Airflow's local executor take."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Self

LOOK_SECONDS = 0.1
TITLE = "airflow worker -- "
EXECUTOR = "LocalExecutor"
SHORTEST = 18
"""Characters of a task's id that its process's title has at least; a short command line cuts titles off."""


class TaskMemory:
    """Samples the processes below a scheduler while the block runs.

    A task's process carries the task instance's id in its title. Its peak is the larger of the kernel's own high-water
    mark of one process and the largest sum over the process and all that it started. Pages that a process shares with
    the one that forked it count in full.

    :param scheduler: number of the scheduler's process.
    """

    def __init__(self, scheduler: int) -> None:
        self._scheduler = scheduler
        self._peaks: dict[str, float] = defaultdict(float)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="task memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def peak(self, task_instance: str) -> float:
        """The most that a task instance took, in MiB; 0 when it was too short to be seen."""
        return max((peak for id_, peak in self._peaks.items() if task_instance.startswith(id_)), default=0.0)

    def _watch(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            for worker in _children(self._scheduler):
                for task in _children(worker):
                    self._look(task)

    def _look(self, task: int) -> None:
        title = _read(task, "cmdline").replace("\0", " ")
        id_ = title.removeprefix(TITLE).strip()
        if not title.startswith(TITLE) or id_.startswith(EXECUTOR) or len(id_) < SHORTEST:
            return
        marks, now = [0.0], 0.0
        for process in (task, *_descendants(task)):
            mark, present = _status(process)
            marks.append(mark)
            now += present
        self._peaks[id_] = max(self._peaks[id_], now, *marks)


def _read(pid: int, name: str) -> str:
    """A file of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _children(pid: int) -> list[int]:
    """From /proc: asking for the parent of every process ten times a second would take a fifth of a processor."""
    try:
        threads = [thread.name for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
    return [int(child) for thread in threads for child in _read(pid, f"task/{thread}/children").split()]


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _status(pid: int) -> tuple[float, float]:
    """High-water mark and present resident memory of a process, in MiB; both 0 of one that has ended."""
    values = dict(line.split(":", 1) for line in _read(pid, "status").splitlines())
    mark, present = (int(values.get(name, "0").split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
    return mark, present

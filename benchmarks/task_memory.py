"""Watches from outside what memory the tasks of Airflow's local executor take."""

import threading
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

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
        self._scheduler = psutil.Process(scheduler)
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
            with suppress(psutil.Error):
                for child in self._scheduler.children():
                    for process in child.children():
                        with suppress(psutil.Error, OSError):
                            self._look(process)

    def _look(self, process: psutil.Process) -> None:
        title = " ".join(process.cmdline())
        id_ = title.removeprefix(TITLE).strip("\0 ")
        if not title.startswith(TITLE) or id_.startswith(EXECUTOR) or len(id_) < SHORTEST:
            return
        marks, now = [], 0.0
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error, OSError):
                mark, present = _status(one.pid)
                marks.append(mark)
                now += present
        self._peaks[id_] = max(self._peaks[id_], now, *marks)


def _status(pid: int) -> tuple[float, float]:
    """High-water mark and present resident memory of a process, in MiB; both 0 of one that has ended."""
    values = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
    mark, present = (int(values.get(name, "0").split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
    return mark, present

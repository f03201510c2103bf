"""Processes of the embedded services: starting one that cannot outlive its parent, and finding those that did
anyway.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

CHILD = Path(__file__).with_name("child.py")
ROOT = Path(__file__).resolve().parent.parent.parent
MARKER = "BONGSU_SESSION"
PRIVATE_UMASK = 0o077
"""umask of all that is started here: what it writes, other users cannot read."""
# Settings that are not about this home's servers: whoever starts the services decides them.
CALLERS = frozenset(
    {
        "BONGSU_AIRFLOW_PORT",
        "BONGSU_CUSTOMER_FILES",
        "BONGSU_MISFIRE_MINUTES",
        "BONGSU_POLL_SECONDS",
        "BONGSU_QUIET_HOURS",
        "BONGSU_RECEIPT_HOURS",
        "BONGSU_RETRY_SECONDS",
    }
)


def base_environment(home: Path) -> dict[str, str]:
    """The environment every service starts from: the caller's, the project on the path, and the home's
    marker.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        # A caller's Airflow, or the settings of another home, must not leak into this one.
        if name in CALLERS or not name.startswith(("AIRFLOW_", "BONGSU_"))
    }
    return inherited | {
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        MARKER: str(home),
        # Without this, a process that renames itself overwrites the marker that the sweep looks for.
        "SPT_NOENV": "1",
    }


def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    death_signal: int = signal.SIGTERM,
    user: str = "",
    cwd: Path = ROOT,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own; it gets ``death_signal`` when the calling thread ends."""
    launcher = [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), str(int(death_signal)), user]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*launcher, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )


def stop(process: subprocess.Popen[bytes], how: int, seconds: float) -> None:
    """Ask ``process`` to end and wait; what is still there after ``seconds`` is killed with its whole
    session.
    """
    if process.poll() is None:
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_session(leader: int) -> int:
    """Kill what is left of the session that ``leader`` began with :func:`spawn`; how many processes that were.

    By session and not by group: Airflow gives every task a group of its own.
    """
    left = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                process.kill()
                left.append(process)
    psutil.wait_procs(left, timeout=10)
    return len(left)


def left_over(home: Path, spare: Iterable[int] = ()) -> list[psutil.Process]:
    """The processes of ``home``'s services.

    Without this process, the ones that led to it, and those of ``spare`` with all they started.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for pid in spare:
        with suppress(psutil.Error):
            spared |= {pid, *(descendant.pid for descendant in psutil.Process(pid).children(recursive=True))}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid in spared or process.environ().get(MARKER) != str(home):
                continue
            found[process.pid] = process
            # A server's own workers may have overwritten their environment; they go with their parent.
            found |= {child.pid: child for child in process.children(recursive=True) if child.pid not in spared}
    return list(found.values())


def sweep(home: Path, *, spare: Iterable[int] = (), gentle_seconds: float = 5.0) -> int:
    """End what the services of ``home`` left behind; returns how many processes that were."""
    leftovers = left_over(home, spare)
    for process in leftovers:
        with suppress(psutil.Error):
            # To PostgreSQL, SIGTERM means to wait for its clients.
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, stubborn = psutil.wait_procs(leftovers, timeout=gentle_seconds)
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=10)
    return len(leftovers)


def last_lines(log: Path, count: int = 15) -> list[str]:
    """The end of a log, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []

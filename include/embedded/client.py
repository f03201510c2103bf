"""What a command does to have services: ask for a level, show how it comes up, hold it while it works.

When ``BONGSU_STORE_URL`` points somewhere else than this home, that installation is used and nothing is
started.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from include.embedded.processes import PRIVATE_UMASK, ROOT, base_environment, last_lines, left_over
from include.embedded.state import Home, Level, check_port, is_locked, load_secrets, read_json, shared_lock, write_json
from include.errors import BongsuError
from include.settings import Settings, settings

LONGEST_START = 600.0
Say = Callable[[str], None]


class ServicesFailed(BongsuError):
    """A service of this machine did not come up; holds the end of its log and what to do."""


@dataclass(frozen=True)
class Services:
    """Services that are up while the block of ``ensure`` runs.

    :param embedded: false when the environment points at an installation elsewhere.
    :param has_airflow: Airflow can be asked.
    :param environment: for a process that is to use them.
    """

    embedded: bool
    has_airflow: bool
    environment: dict[str, str]


def this_home() -> Home:
    """The state directory that the environment names."""
    return Home(settings().home)


def is_elsewhere(home: Home) -> bool:
    """Whether the environment points at a store that is not the embedded one of ``home``."""
    url = os.environ.get("BONGSU_STORE_URL", "")
    if not url:
        return False
    password = read_json(home.path / "secrets.json").get("bongsu_app")
    return not (password and f":{password}@127.0.0.1:" in url)


@contextmanager
def ensure(level: Level, say: Say) -> Iterator[Services]:
    """Have the services of ``level`` until the block ends; the process's own settings then name them.

    :param say: shows one line of progress.
    :raises ServicesFailed: a service did not come up.
    """
    home, port = this_home(), settings().airflow_port
    if is_elsewhere(home):
        yield Services(False, bool(settings().airflow_url), dict(os.environ))
        return
    home.create()
    if stopping := board_of(home).get("stopping"):
        say("waiting for the services to finish stopping")
    with shared_lock(home.clients_lock):
        if not board_of(home) and not left_over(home.path):  # what an earlier session left is ended by the next one
            check_port(port)
        board = _wait(home, level, say, quiet=bool(not stopping and _is_up(home, level)))
        if port and board["ports"]["airflow"] != port:
            raise ServicesFailed(
                f"The services run already, Airflow on port {board['ports']['airflow']} and not on {port} as "
                "BONGSU_AIRFLOW_PORT says. Stop them with: bongsu down"
            )
        environment = service_environment(home, board["ports"])
        product = {name: value for name, value in environment.items() if name.startswith(("BONGSU_", "AIRFLOW_CONN_"))}
        before = dict(os.environ)
        os.environ.update(product)
        settings.cache_clear()
        try:
            yield Services(True, _is_up(home, Level.all), environment)
        finally:
            os.environ.clear()
            os.environ.update(before)
            settings.cache_clear()


def service_environment(home: Home, ports: dict[str, int]) -> dict[str, str]:
    """The environment in which a process finds the services of ``home``."""
    from include.embedded.catalog import environment
    from include.embedded.service import Site

    return environment(Site(home, ports, load_secrets(home)))


def board_of(home: Home) -> dict[str, Any]:
    """What runs now; empty when no supervisor is there, or when what is written is a dead one's."""
    if not is_locked(home.supervisor_lock):
        return {}
    board = read_json(home.endpoints)
    try:
        alive = psutil.Process(board["supervisor"]).status() != psutil.STATUS_ZOMBIE
    except (KeyError, psutil.Error):
        return {}
    return board if alive else {}


def _is_up(home: Home, level: Level) -> bool:
    services = board_of(home).get("services", {})
    mine = [service for service in services.values() if service.get("level", 0) <= level]
    return any(service.get("level") == level for service in mine) and all(
        service["state"] == "ready" for service in mine
    )


def _wait(home: Home, level: Level, say: Say, *, quiet: bool) -> dict[str, Any]:
    """Wait until all of ``level`` is ready, saying each service as it comes; starts the supervisor when there
    is none.
    """
    shown: set[str] = set()
    supervisor: subprocess.Popen[bytes] | None = None
    limit = time.monotonic() + LONGEST_START
    while time.monotonic() < limit:
        if not is_locked(home.supervisor_lock) and (supervisor is None or supervisor.poll() is not None):
            if supervisor is not None and supervisor.returncode != 0:
                raise ServicesFailed(
                    _message("The supervisor", f"ended with {supervisor.returncode}", home.log("supervisor"))
                )
            say(f"Starting the services of this machine (state in {home.path})")
            supervisor = _start(home, level)
        # A supervisor that is just starting forgets what an earlier one was asked for.
        if int(read_json(home.wanted).get("level", 0)) < level:
            write_json(home.wanted, {"level": int(level)})
        board = board_of(home)
        services = {name: one for name, one in board.get("services", {}).items() if one.get("level", 0) <= level}
        for name, service in services.items():
            if service["state"] == "failed":
                raise ServicesFailed(
                    _message(service["title"], service["problem"], Path(service["log"]), service.get("tail"))
                )
            if service["state"] == "ready" and name not in shown:
                shown.add(name)
                if not quiet:
                    say(f"  {service['title']:<28} ready {service['seconds']:5.1f} s")
        known = any(one.get("level") == level for one in services.values())
        if known and not board.get("stopping") and all(one["state"] == "ready" for one in services.values()):
            return board
        time.sleep(0.1)
    waiting = [one["title"] for one in board_of(home).get("services", {}).values() if one["state"] != "ready"]
    raise ServicesFailed(
        f"Not ready after {LONGEST_START:.0f} s: {', '.join(waiting) or 'the supervisor'}. "
        f"Look at the logs in {home.logs}"
    )


def _start(home: Home, level: Level) -> subprocess.Popen[bytes]:
    """Start a supervisor that is not our child in anything but name: own session, own log."""
    environment = base_environment(home.path)
    # The marker is for what the supervisor starts; it must not look like something left over itself.
    del environment["BONGSU_SESSION"]
    with home.log("supervisor").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "include.embedded.supervisor", str(home.path), level.name],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )


def _message(title: str, problem: str, log: Path, tail: list[str] | None = None) -> str:
    lines = tail if tail is not None else last_lines(log)
    shown = "".join(f"    {line}\n" for line in lines)
    return (
        f"{title} {problem}. The end of its log, {log}:\n{shown}"
        "What to do: mend what the log names and repeat the command. If the data themselves are broken and you "
        f"can lose them, remove {log.parent.parent}."
    )


def keep_up(home: Home) -> None:
    """Let the services stay when nobody uses them; call it while holding them."""
    home.keep.touch()


def stop_all(home: Home, seconds: float = 60) -> bool:
    """Stop everything now, also what others use; false when nothing ran.

    :raises ServicesFailed: the supervisor did not end.
    """
    home.keep.unlink(missing_ok=True)
    home.linger.unlink(missing_ok=True)
    if not (pid := board_of(home).get("supervisor")):
        return False
    os.kill(pid, 15)
    limit = time.monotonic() + seconds
    while is_locked(home.supervisor_lock):
        if time.monotonic() > limit:
            raise ServicesFailed(f"The supervisor (process {pid}) does not stop; its log: {home.log('supervisor')}")
        time.sleep(0.1)
    return True


def values_to_print(environment: dict[str, str]) -> dict[str, str]:
    """The variables a person or another program needs to reach the services."""
    known = Settings.from_environment(environment)
    chosen = {
        name: value
        for name, value in environment.items()
        if name.startswith(("BONGSU_", "AIRFLOW_CONN_")) and name != "BONGSU_SESSION"
    }
    return {
        **chosen,
        "BONGSU_MISFIRE_MINUTES": str(known.misfire_minutes),
        "BONGSU_RECEIPT_HOURS": str(known.receipt_hours),
        "BONGSU_POLL_SECONDS": str(known.poll_seconds),
        "BONGSU_RETRY_SECONDS": str(known.retry_seconds),
    }

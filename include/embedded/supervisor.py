"""The process that starts the embedded services, keeps them running, and ends them when nobody needs them any
more.

``python -m include.embedded.supervisor HOME LEVEL``. It never trusts a clean ending: who needs the services
holds a lock that the kernel releases with the process, every child asks the kernel for a signal when this
process goes, and a new supervisor first ends what an earlier one left.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from include.embedded.catalog import catalog
from include.embedded.processes import end_session, last_lines, spawn, stop, sweep
from include.embedded.service import Service, Site
from include.embedded.state import Home, Level, choose_ports, load_secrets, read_json, try_lock, write_json
from include.errors import BongsuError
from include.settings import settings

log = logging.getLogger("bongsu.supervisor")

POLL_SECONDS = 0.2
LONGEST_PAUSE = 30.0
STABLE_SECONDS = 60.0


class Board:
    """What runs, as the commands read it: one file, replaced at every change."""

    def __init__(self, site: Site, airflow_port_before: int | None) -> None:
        self.path = site.home.endpoints
        self.guard = threading.Lock()
        self.content: dict[str, Any] = {
            "supervisor": os.getpid(),
            "ports": dict(site.ports),
            "airflow_port_before": airflow_port_before,
            "stopping": False,
            "services": {},
        }
        self.write()

    def write(self) -> None:
        write_json(self.path, self.content)

    def set(self, service: str, **values: object) -> None:
        with self.guard:
            self.content["services"].setdefault(service, {}).update(values)
            self.write()

    def stopping(self) -> None:
        with self.guard:
            self.content["stopping"] = True
            self.write()


class Keeper(threading.Thread):
    """Runs one service. It lives as long as the service, because the kernel ties a child to the thread that
    made it.
    """

    def __init__(self, service: Service, site: Site, board: Board, others: dict[str, "Keeper"]) -> None:
        super().__init__(name=service.name, daemon=True)
        self.service, self.site, self.board, self.others = service, site, board, others
        self.ready, self.over = threading.Event(), threading.Event()
        self.ending = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        try:
            if self._wait_for_needs():
                self._keep()
        except Exception as error:
            log.exception("%s failed", self.service.name)
            self._failed(f"{type(error).__name__}: {error}")
        finally:
            self.over.set()

    def _wait_for_needs(self) -> bool:
        for name in self.service.needs:
            other = self.others[name]
            while not other.ready.wait(0.05):
                if self.ending.is_set() or other.over.is_set():
                    return False
        return not self.ending.is_set()

    def _keep(self) -> None:
        pause = 0.5
        while not self.ending.is_set():
            began = time.monotonic()
            self.board.set(self.service.name, title=self.service.title, state="starting", began=time.time())
            self.service.prepare()
            self.process = spawn(
                self.service.command,
                environment=self.service.environment,
                log=self.site.home.log(self.service.name),
                death_signal=self.service.stop_signal,
                user=self.service.user,
            )
            if not self._become_ready(began):
                return
            if self.service.once:
                return
            code = self._watch()
            if self.ending.is_set():
                return
            # Workers of a scheduler that is gone would hold its ports, and do its tasks beside the next one's.
            if count := end_session(self.process.pid):
                log.warning("%s left %d processes behind; they were killed", self.service.name, count)
            pause = 0.5 if time.monotonic() - began > STABLE_SECONDS else min(pause * 2, LONGEST_PAUSE)
            log.warning("%s ended with %s; started again in %.1f s", self.service.name, code, pause)
            self.board.set(self.service.name, state="restarting", code=code)
            self.ending.wait(pause)

    def _become_ready(self, began: float) -> bool:
        assert self.process is not None
        if self.service.once:
            try:
                code: int | None = self.process.wait(self.service.ready_seconds)
            except subprocess.TimeoutExpired:
                code = None
            if code == 0:
                return self._is_ready(began)
        else:
            limit = began + self.service.ready_seconds
            while time.monotonic() < limit and self.process.poll() is None and not self.ending.is_set():
                if self.service.is_ready():
                    return self._is_ready(began)
            code = self.process.poll()
        if self.ending.is_set():
            return False
        if self.ready.is_set():
            # It worked before: a restart that fails is tried again, like any other ending.
            stop(self.process, self.service.stop_signal, 5)
            return True
        end = (
            f"ended with code {code}" if code is not None else f"was not ready after {self.service.ready_seconds:.0f} s"
        )
        self._failed(end)
        stop(self.process, self.service.stop_signal, 5)
        return False

    def _is_ready(self, began: float) -> bool:
        assert self.process is not None
        seconds = round(time.monotonic() - began, 1)
        log.info("%s ready after %.1f s", self.service.name, seconds)
        self.board.set(self.service.name, state="ready", seconds=seconds, pid=self.process.pid)
        self.ready.set()
        return True

    def _failed(self, problem: str) -> None:
        path = self.site.home.log(self.service.name)
        log.error("%s %s", self.service.name, problem)
        self.board.set(
            self.service.name,
            title=self.service.title,
            state="failed",
            problem=problem,
            log=str(path),
            tail=last_lines(path),
        )

    def _watch(self) -> int | None:
        assert self.process is not None
        while not self.ending.is_set():
            try:
                return self.process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        return None

    def end(self) -> None:
        """Stop the service in its own way; called from the supervisor's thread."""
        self.ending.set()
        if self.process is not None and self.process.poll() is None:
            stop(self.process, self.service.stop_signal, self.service.stop_seconds)
            log.info("%s stopped", self.service.name)
        self.over.wait(5)


class Supervisor:
    """Starts what is wanted, and decides when to leave."""

    def __init__(self, home: Home, lock: int) -> None:
        self.home, self.lock = home, lock
        before = read_json(home.ports).get("airflow")
        self.site = Site(home, choose_ports(home, settings().airflow_port), load_secrets(home))
        self.board = Board(self.site, before)
        self.services = catalog(self.site)
        self.keepers: dict[str, Keeper] = {}
        self.level = 0
        self.told_to_stop = threading.Event()

    def run(self, level: Level) -> None:
        self._raise_to(level)
        while not self.told_to_stop.wait(POLL_SECONDS):
            if not self._is_home_still_ours():
                log.error("%s was removed under the services; they end", self.home.path)
                self._end_services()
                return
            self._raise_to(wanted_level(self.home))
            if not self._somebody_stays() and (alone := try_lock(self.home.clients_lock, shared=False)) is not None:
                # Held until this process ends: a command that comes now waits, then starts anew.
                log.info("nobody needs the services any more (lock %d)", alone)
                break
        self._end()

    def _raise_to(self, level: int) -> None:
        if level <= self.level:
            return
        self.level = level
        for service in self.services:
            if service.level <= level and service.name not in self.keepers:
                self.keepers[service.name] = Keeper(service, self.site, self.board, self.keepers)
                self.board.set(service.name, title=service.title, state="waiting", level=int(service.level))
                self.keepers[service.name].start()

    def _somebody_stays(self) -> bool:
        if self.home.keep.exists():
            return True
        try:
            return time.time() < float(self.home.linger.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return False

    def _is_home_still_ours(self) -> bool:
        """Whether the lock that we hold is the one that others look at; it is not after the home was deleted."""
        try:
            return os.path.samestat(os.fstat(self.lock), self.home.supervisor_lock.stat())
        except FileNotFoundError:
            return False

    def _end(self) -> None:
        self.board.stopping()
        self._end_services()
        self.home.wanted.unlink(missing_ok=True)
        self.home.linger.unlink(missing_ok=True)
        self.home.endpoints.unlink(missing_ok=True)

    def _end_services(self) -> None:
        # Airflow first, so that nothing asks a database that is gone; databases last.
        for level in sorted({service.level for service in self.services}, reverse=True):
            threads = [
                threading.Thread(target=keeper.end) for keeper in self.keepers.values() if keeper.service.level == level
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if self._is_home_still_ours():
                self._end_stragglers()

    def _end_stragglers(self) -> None:
        """End what a stopped service left behind, such as tasks of Airflow, before what they use is stopped."""
        up = [keeper.process.pid for keeper in self.keepers.values() if keeper.process and not keeper.over.is_set()]
        if count := sweep(self.home.path, spare=up):
            log.warning("ended %d processes that had outlived their service", count)


def wanted_level(home: Home) -> int:
    """The level somebody asked for; 0 when nobody did."""
    return int(read_json(home.wanted).get("level", 0))


def main(home_path: str, level: str) -> int:
    """Run until nobody needs the services; at once 0 when another supervisor does it already."""
    home = Home(Path(home_path))
    home.create()
    if (lock := try_lock(home.supervisor_lock, shared=False)) is None:
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    log.info("supervisor %d of %s starts (lock %d)", os.getpid(), home.path, lock)
    for stale in (home.endpoints, home.wanted):
        stale.unlink(missing_ok=True)
    if count := sweep(home.path):
        log.warning("ended %d processes of an earlier session", count)
    try:
        supervisor = Supervisor(home, lock)
    except BongsuError as error:
        log.error("%s", error)
        return 1

    def told(number: int, frame: FrameType | None) -> None:
        supervisor.told_to_stop.set()

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    supervisor.run(Level[level])
    log.info("all services stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""The services of the compose file while they run: up, stop, commands in a container, what the engine knows of each."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from include.settings import ROOT
from tests.compose import derived
from tests.compose.engine import COMPOSE, DOCKER, Engine, Failed, answer_of

PROJECT = "bongsu"
HEALTHY_SECONDS = 900.0
ONCE = "airflow-init"


class Stack:
    """One project of docker-compose.

    :param work: folder for what the proof makes: secrets, the derived compose file, customer files.
    """

    def __init__(self, engine: Engine, work: Path) -> None:
        self.engine, self.work = engine, work
        self.customer_files = work / "data"
        self.file = work / "compose.yml"
        self.secrets: dict[str, str] = {}

    def prepare(self) -> None:
        """Fresh secrets as deploy/new-env.sh makes them, and the derived compose file."""
        draft = self.work / "secrets"
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "deploy").mkdir(parents=True)
        for name in (".env.example", "deploy/new-env.sh"):
            shutil.copy(ROOT / name, draft / name)
        subprocess.run(["sh", str(draft / "deploy" / "new-env.sh")], check=True, capture_output=True)
        lines = (draft / ".env").read_text(encoding="utf-8").splitlines()
        self.secrets = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        derived.write(self.file)

    def services(self) -> list[str]:
        """Our own services, without the carrier's."""
        return [name for name in derived.derive()["services"] if name != derived.AGENTS]

    def compose(self, *arguments: str, seconds: float = 900) -> "subprocess.CompletedProcess[bytes]":
        """A call of docker-compose."""
        options = ["--project-name", PROJECT, "--project-directory", str(ROOT), "--file", str(self.file)]
        files = ["--env-file", str(self.work / "secrets" / ".env")]
        settings = {"CUSTOMER_FILES": str(self.customer_files)}
        return self.engine.attempt(COMPOSE, *options, *files, *arguments, environment=settings, seconds=seconds)

    def up(self, *services: str) -> None:
        """Start services, without waiting for their health."""
        answer_of(self.compose("up", "--no-build", "--detach", *(services or self.services())))

    def wait_until_healthy(self, *services: str) -> None:
        """Wait for the health checks of ``services``, by default of all, and for the one that ends.

        :raises Failed: one did not come, or ended.
        """
        limit = time.monotonic() + HEALTHY_SECONDS
        while waiting := [f"{name} is {state}" for name, state in self.states(services).items() if state != "healthy"]:
            if time.monotonic() > limit or any("exited" in one for one in waiting):
                raise Failed(f"not healthy: {', '.join(waiting)}; the engine's log: {self.engine.log}")
            time.sleep(1)

    def states(self, services: Sequence[str] = ()) -> dict[str, str]:
        """``healthy``, or what else a service is; ``healthy`` too for the one that ends well."""
        found = {}
        for name in services or self.services():
            state = self.inspect(name)["State"]
            if name == ONCE and state["Status"] == "exited" and state["ExitCode"] == 0:
                found[name] = "healthy"
            else:
                health = state.get("Health", {}).get("Status", "")
                found[name] = health if health and state["Status"] == "running" else state["Status"]
        return found

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        answer: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", self.container(service), quiet=True))
        return answer[0]

    def container(self, service: str) -> str:
        """The container of a service, which has one."""
        labels = (f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}")
        filters = [part for label in labels for part in ("--filter", f"label={label}")]
        found = self.engine.docker("ps", "--all", "--quiet", *filters, quiet=True).split()
        if len(found) != 1:
            raise Failed(f"{service} has {len(found)} containers")
        return found[0]

    def try_in(
        self, service: str, *command: str, environment: Mapping[str, str] | None = None, quiet: bool = False
    ) -> "subprocess.CompletedProcess[bytes]":
        """A command in a service's container, as its user; it may end badly.

        :param environment: given to this command alone. It passes through our own environment: an argument would show
            in the list of processes.
        """
        given = dict(environment or {})
        options = [part for name in given for part in ("--env", name)]
        whole = [DOCKER, "exec", *options, self.container(service), *command]
        return self.engine.attempt(*whole, environment=given, quiet=quiet)

    def run_in(
        self, service: str, *command: str, environment: Mapping[str, str] | None = None, quiet: bool = False
    ) -> str:
        """A command in a service's container that has to end well; its standard output."""
        return answer_of(self.try_in(service, *command, environment=environment, quiet=quiet))

    def sql(self, statement: str, user: str, password: str) -> "subprocess.CompletedProcess[bytes]":
        """A statement on the SMS line's server over TCP, as one of its accounts."""
        command = ["mariadb", "--host=127.0.0.1", f"--user={user}", f"--execute={statement}", "smsline"]
        return self.try_in("mariadb", *command, environment={"MYSQL_PWD": password})

    def users(self, service: str) -> set[str]:
        """The numbers of the users whose processes run in a service's container."""
        table = self.engine.docker("top", self.container(service), "-eo", "uid,pid")
        return {line.split()[0] for line in table.splitlines()[1:]}

    def keep_logs(self) -> None:
        """Put the end of what the containers said into the proof's log."""
        if self.file.exists():
            self.compose("logs", "--no-color", "--tail", "200")

    def kill(self, service: str) -> None:
        """End a container's main process at once; its policy starts it again, as after a crash."""
        os.kill(int(self.inspect(service)["State"]["Pid"]), signal.SIGKILL)

    def down(self) -> None:
        """Remove the containers and the volumes."""
        if self.file.exists():
            self.compose("down", "--volumes", "--timeout", "20")

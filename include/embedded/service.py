"""What a service is to the supervisor: how it is prepared, started, recognised as ready, and stopped."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from include.embedded.state import Home, Level


@dataclass(frozen=True)
class Site:
    """What every service needs to know of this installation."""

    home: Home
    ports: Mapping[str, int]
    secrets: Mapping[str, str]

    def store_url(self, role: str, database: str = "bongsu") -> str:
        password = self.secrets[role]
        return f"postgresql://{role}:{password}@127.0.0.1:{self.ports['postgres']}/{database}"

    @property
    def line_url(self) -> str:
        """The line as the product: it reads and adds rows."""
        return self._line_url("bongsu", "line")

    @property
    def line_tables_url(self) -> str:
        """The line as the owner of its tables."""
        return self._line_url("bongsu_tables", "line_tables")

    @property
    def line_agent_url(self) -> str:
        """The line as the carrier's agents, which change and move rows."""
        return self._line_url("agent", "line_agent")

    def _line_url(self, user: str, secret: str) -> str:
        return f"mysql://{user}:{self.secrets[secret]}@127.0.0.1:{self.ports['mariadb']}/smsline"

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['airflow']}"


def nothing() -> None:
    """Some services need no preparation."""


@dataclass(frozen=True)
class Service:
    """One program that the supervisor runs.

    :param name: short, stable; names the log file.
    :param title: for people.
    :param level: the level that needs it.
    :param needs: names of the services that must be ready first.
    :param command: the program.
    :param environment: its whole environment.
    :param prepare: called before each start, in the thread that starts it.
    :param is_ready: asked until it says yes; must not raise. For a step that ends by itself, leave it out.
    :param once: a step: ready when it ends with 0, and not started again.
    :param user: system user to run as, when this process is root.
    """

    name: str
    title: str
    level: Level
    command: Sequence[str]
    environment: Mapping[str, str]
    needs: Sequence[str] = ()
    prepare: Callable[[], None] = nothing
    is_ready: Callable[[], bool] = field(default=lambda: True)
    once: bool = False
    ready_seconds: float = 90
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 10
    user: str = ""

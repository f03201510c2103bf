"""A MariaDB of our own for the tests: the embedded service, in a folder that goes away with it."""

import subprocess
import time
from pathlib import Path

from include.embedded import mariadb
from include.embedded.processes import spawn, stop
from include.embedded.service import Site
from include.embedded.state import Home, choose_ports, load_secrets


class LineServer:
    """One ``mariadbd`` on a free port, with the database ``smsline`` and its user."""

    def __init__(self, folder: Path) -> None:
        home = Home(folder)
        home.create()
        self._log = home.log("mariadb")
        self._site = Site(home, choose_ports(home), load_secrets(home))
        self._service = mariadb.service(self._site)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL that ``connect_line`` takes."""
        return self._site.line_url

    @property
    def tables_url(self) -> str:
        """The same as the owner of the line's tables."""
        return self._site.line_tables_url

    @property
    def agent_url(self) -> str:
        """The same as the carrier's agents."""
        return self._site.line_agent_url

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._service.prepare()
        self._process = spawn(self._service.command, environment=self._service.environment, log=self._log)
        deadline = time.monotonic() + self._service.ready_seconds
        while not self._service.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MariaDB did not start:\n{self._log.read_text(errors='replace')[-3000:]}")

    def stop(self) -> None:
        """Stop the server and wait until it has ended."""
        if self._process is not None:
            stop(self._process, self._service.stop_signal, self._service.stop_seconds)
            self._process = None

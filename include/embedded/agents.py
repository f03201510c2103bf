"""The stand-ins for the carrier's agents, which empty the SMS lines; a program of their own that the product
never imports.
"""

import sys
import time
from pathlib import Path

from include.embedded.processes import base_environment
from include.embedded.service import Service, Site
from include.embedded.state import Level

LINES = "1-11"


def control_socket(site: Site) -> Path:
    """Where the agents take orders: stop, slow down, restart, lose the connection."""
    return site.home.socket("agents.sock")


def service(site: Site) -> Service:
    """The agents of all lines, in one process."""
    control = control_socket(site)
    command = [sys.executable, "-m", "sandbox.agent", "--lines", LINES]
    return Service(
        name="agents",
        title="carrier agents (sandbox)",
        level=Level.lines,
        needs=("line-tables",),
        command=[*command, "--control", str(control)],
        environment={**base_environment(site.home.path), "BONGSU_LINE_URL": site.line_agent_url},
        prepare=lambda: control.unlink(missing_ok=True),
        is_ready=lambda: _listens(control),
        stop_seconds=8,
    )


def _listens(control: Path) -> bool:
    if control.exists():
        return True
    time.sleep(0.1)
    return False

"""The compose file as the engine of the proof can run it: ours in every service, changed where the network is.

All containers share one network that has the loopback device alone, as the host's: names of services become entries of
the hosts file, and a published port is simply the server's own. The carrier's agents come in addition: the sandbox runs
in one more container of the product's image.
"""

from pathlib import Path
from typing import Any

import yaml

from include.settings import ROOT

AGENTS = "agents"
LOOPBACK = "127.0.0.1"


def derive() -> dict[str, Any]:
    """Our compose file for docker-compose 1.29 and a network without a bridge."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    del document["name"]
    services: dict[str, dict[str, Any]] = document["services"]
    services[AGENTS] = _agents(services)
    hosts = [f"{name}:{LOOPBACK}" for name in services]
    for name, service in services.items():
        service.pop("ports", None)
        service |= {"network_mode": "host", "hostname": name, "extra_hosts": hosts}
    return {key: value for key, value in document.items() if not key.startswith("x-")}


def write(path: Path) -> None:
    """Write the derived file."""
    path.write_text(yaml.safe_dump(derive(), sort_keys=False, allow_unicode=True), encoding="utf-8")


def _agents(services: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The carrier's side. It logs in as the carrier's agent does."""
    password = services["mariadb"]["environment"]["AGENT_PASSWORD"]
    return {
        "image": services["worker"]["image"],
        "restart": "no",
        "command": ["python", "-m", "sandbox.agent", "--lines", "1-11"],
        "environment": {"BONGSU_LINE_URL": f"mysql://agent:{password}@mariadb:3306/smsline"},
        "volumes": ["./sandbox:/opt/bongsu/sandbox:ro"],
        "depends_on": {"airflow-init": {"condition": "service_completed_successfully"}},
    }

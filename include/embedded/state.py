"""The state directory: where everything lies, the ports and secrets chosen once, and locks that the kernel
releases.

Files are replaced atomically, so a reader never sees half of one, and a crash leaves the old one.
"""

import base64
import fcntl
import hashlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

MAX_SOCKET_PATH = 100
PORTS = ("postgres", "mariadb", "airflow", "worker_log", "trigger_log")
PASSWORDS = (
    "postgres",
    "bongsu_owner",
    "bongsu_app",
    "bongsu_platform",
    "airflow",
    "line",
    "line_tables",
    "line_agent",
    "admin",
)


class Level(IntEnum):
    """How much has to run; each level includes the ones before it."""

    databases = 1
    lines = 2
    all = 3


@dataclass(frozen=True)
class Home:
    """The state directory of one installation."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def endpoints(self) -> Path:
        """What runs: written by the supervisor, read by the commands."""
        return self.path / "endpoints.json"

    @property
    def keep(self) -> Path:
        """While this file exists the services stay, whoever comes and goes."""
        return self.path / "keep"

    @property
    def linger(self) -> Path:
        """Holds a moment (seconds since 1970) until which the services stay without anybody using them."""
        return self.path / "linger"

    @property
    def wanted(self) -> Path:
        """The highest level that somebody asked for."""
        return self.path / "wanted"

    @property
    def clients_lock(self) -> Path:
        return self.path / "clients.lock"

    @property
    def supervisor_lock(self) -> Path:
        return self.path / "supervisor.lock"

    @property
    def keyring(self) -> Path:
        return self.path / "keyring.json"

    @property
    def manifests(self) -> Path:
        return self.path / "manifests"

    def log(self, service: str) -> Path:
        return self.logs / f"{service}.log"

    def socket(self, name: str) -> Path:
        """A path for a Unix socket; in a short place when the state directory's own path is too long."""
        path = self.path / "sockets" / name
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            digest = hashlib.blake2b(os.fsencode(self.path), digest_size=6).hexdigest()
            path = Path(tempfile.gettempdir()) / f"bongsu-{os.getuid()}-{digest}" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def create(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)


def write_json(path: Path, value: object, *, private: bool = False) -> None:
    """Replace ``path`` by ``value`` as JSON, at once; ``private`` keeps it from other users."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; empty when there is none or it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def load_secrets(home: Home) -> dict[str, str]:
    """The passwords and keys of this installation; what is missing is made up now and kept."""
    path = home.path / "secrets.json"
    known: dict[str, str] = read_json(path)
    if path.exists() and not known:
        raise RuntimeError(
            f"{path} cannot be read. It holds the databases' passwords: restore it, or remove {home.path} to start anew"
        )
    missing = {name: secrets.token_urlsafe(18) for name in PASSWORDS if name not in known}
    if "fernet_key" not in known:
        missing["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    missing |= {name: secrets.token_urlsafe(48) for name in ("jwt_secret", "api_secret") if name not in known}
    if missing:
        known |= missing
        write_json(path, known, private=True)
    return known


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of this machine now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_ports(home: Home) -> dict[str, int]:
    """A free port for each service: the one of last time when it is still free, so that addresses stay the
    same.
    """
    path = home.path / "ports.json"
    known = read_json(path)
    ports = {name: known[name] for name in PORTS if isinstance(known.get(name), int) and is_free(known[name])}
    held: list[socket.socket] = []
    try:
        for name in PORTS:
            while name not in ports:
                # All probes stay open until the end: the kernel then cannot offer one port twice.
                probe = socket.socket()
                held.append(probe)
                probe.bind(("127.0.0.1", 0))
                if (port := probe.getsockname()[1]) not in ports.values():
                    ports[name] = port
    finally:
        for probe in held:
            probe.close()
    ports = {name: ports[name] for name in PORTS}
    if ports != known:
        write_json(path, ports)
    return ports


def try_lock(path: Path, *, shared: bool) -> int | None:
    """A descriptor that holds the lock of ``path`` until it is closed or this process ends; ``None`` if it is
    taken.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether another process holds ``path`` exclusively."""
    if (descriptor := try_lock(path, shared=True)) is None:
        return True
    os.close(descriptor)
    return False


@contextmanager
def shared_lock(path: Path) -> Iterator[None]:
    """Hold ``path`` together with others; waits while somebody holds it alone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)

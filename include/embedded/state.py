"""The state directory: where everything lies, the ports and secrets chosen once, and locks that the kernel releases.

It is closed to other users of the machine: they can read nothing and hold no lock. Files are replaced atomically, so a
reader never sees half of one, and a crash leaves the old one.
"""

import base64
import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from include.errors import BongsuError, Unavailable

MAX_SOCKET_PATH = 100
LONGEST_LOCK = 300.0
"""Seconds that a command waits for a supervisor to end: longer than all its services need to stop."""
PORTS = ("postgres", "mariadb", "airflow", "airflow_logs")
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
    def ports(self) -> Path:
        """The ports of last time."""
        return self.path / "ports.json"

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
        private_folder(path.parent)
        return path

    @property
    def _is_ours(self) -> bool:
        """Whether nothing but an installation lies here; a folder that somebody uses otherwise keeps its mode."""
        found = {entry.name for entry in self.path.iterdir()}
        return not found or bool(found & {"secrets.json", "bootstrap"})

    def create(self) -> None:
        """Make what is missing, for this user alone.

        :raises BongsuError: it is another user's.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise BongsuError(
                f"{self.path} belongs to {user_name(owner)}. Work as that user, "
                "or name a state directory of your own: BONGSU_HOME=FOLDER"
            )
        if self._is_ours:
            # root lends PostgreSQL a system user, who has to pass
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for folder in (self.logs, self.manifests):
            private_folder(folder)

    def remove(self) -> None:
        """Remove it with all it holds, and PostgreSQL's files when they lie elsewhere."""
        postgres = self.path / "postgres"
        if postgres.is_symlink():
            shutil.rmtree(postgres.readlink().parent, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)


def user_name(number: int) -> str:
    """The name of a user of this machine, or its number when it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def private_folder(path: Path) -> None:
    """Make a folder that only this user can enter.

    :raises BongsuError: somebody else has put something there.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise BongsuError(f"{path} is not a folder of {user_name(os.geteuid())}. Remove it, or have its owner do so.")
    if found.st_mode & 0o077:
        path.chmod(0o700)


def write_json(path: Path, value: object) -> None:
    """Replace ``path`` by ``value`` as JSON, at once; other users cannot read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
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
        write_json(path, known)
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


def check_port(port: int) -> None:
    """Make sure that Airflow can have ``port``; 0 is any.

    :raises BongsuError: somebody else has it.
    """
    if port and not is_free(port):
        raise BongsuError(
            f"BONGSU_AIRFLOW_PORT is {port}, but another program of this machine listens there. "
            "End it, name another port, or leave the setting out to take a free one."
        )


def choose_ports(home: Home, airflow: int = 0) -> dict[str, int]:
    """A free port for each service: the one of last time when it is still free, so that addresses stay the same.

    :param airflow: the port that Airflow has to have; 0 leaves the choice.
    :raises BongsuError: that one is not free.
    """
    known = read_json(home.ports)
    check_port(airflow)
    ports = {"airflow": airflow} if airflow else {}
    for name in PORTS:
        port = known.get(name)
        if name not in ports and isinstance(port, int) and port not in ports.values() and is_free(port):
            ports[name] = port
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
        write_json(home.ports, ports)
    return ports


def try_lock(path: Path, *, shared: bool) -> int | None:
    """A descriptor that holds the lock of ``path`` until it is closed or this process ends; ``None`` if it is
    taken.
    """
    descriptor = _open_lock(path)
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


def _open_lock(path: Path) -> int:
    """A descriptor of a lock's file, which no other user can open: whoever can read it could hold the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if os.fstat(descriptor).st_mode & 0o077:
        os.fchmod(descriptor, 0o600)
    return descriptor


@contextmanager
def shared_lock(path: Path, seconds: float = LONGEST_LOCK) -> Iterator[None]:
    """Hold ``path`` together with others; waits while somebody holds it alone, as a supervisor that ends does.

    :raises Unavailable: it was not free for so many seconds.
    """
    limit = time.monotonic() + seconds
    while (descriptor := try_lock(path, shared=True)) is None:
        if time.monotonic() > limit:
            raise Unavailable(
                f"Another process has held {path} for {seconds:.0f} s. See which with: fuser -v '{path}'. "
                "End it, then repeat the command."
            )
        time.sleep(0.05)
    try:
        yield
    finally:
        os.close(descriptor)

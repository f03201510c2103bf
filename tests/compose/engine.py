"""A Docker engine of our own: its socket, its data and, once the images are built, its network.

The network is a namespace that has the loopback device alone. Containers use it as their host's: nothing leaves this
machine, no port collides with another program's, and neither a bridge nor a packet filter is needed.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

# Debian's client: one that lies in front of it in PATH may want plugins that are not there.
DOCKER, DOCKERD, COMPOSE = "/usr/bin/docker", "/usr/sbin/dockerd", "/usr/bin/docker-compose"
READY_SECONDS = 60.0
STOP_SECONDS = 60.0


class Failed(Exception):
    """A command of the proof ended badly; holds what it was and the end of what it said."""


class Engine:
    """One dockerd.

    :param data: folder of images and volumes; kept between proofs.
    :param log: file for what the engine and its clients say.
    """

    def __init__(self, data: Path, log: Path) -> None:
        self.data, self.log = data, log
        # A socket's path has little room, so the engine's run files are not below the project.
        self.run = Path(tempfile.mkdtemp(prefix="bongsu-compose-"))
        self.namespace = self.run.name
        self.socket = f"unix://{self.run}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self.has_namespace = False

    def start(self, *, alone: bool) -> None:
        """Start dockerd, in the machine's network for a build or ``alone`` in its namespace.

        :raises Failed: it does not answer.
        """
        command = [
            *(DOCKERD, "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
            *("--bridge=none", "--data-root", str(self.data), "--exec-root", str(self.run / "exec")),
            *("--host", self.socket, "--pidfile", str(self.run / "docker.pid")),
        ]
        if alone:
            self._call("ip", "netns", "add", self.namespace)
            self.has_namespace = True
            command = [*self._inside(), *command]
            self._call(*self._inside(), "ip", "link", "set", "lo", "up")
        with self.log.open("ab") as output:
            # In a session of its own: who interrupts the proof still needs the engine to clean up.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        limit = time.monotonic() + READY_SECONDS
        while subprocess.run([DOCKER, "--host", self.socket, "info"], capture_output=True, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > limit:
                raise Failed(f"dockerd does not answer; its log: {self.log}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop dockerd and take its namespace away."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(STOP_SECONDS)
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self.process = None
        for mount in (self.run / "exec").glob("netns/*"):
            subprocess.run(["umount", str(mount)], capture_output=True, check=False)
        if self.has_namespace:
            self._call("ip", "netns", "del", self.namespace)
            self.has_namespace = False

    def remove(self, *, keep_data: bool) -> None:
        """Stop, and remove what lies on the disk."""
        self.stop()
        shutil.rmtree(self.run, ignore_errors=True)
        if not keep_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def docker(self, *arguments: str, stdin: IO[bytes] | None = None, quiet: bool = False) -> str:
        """A call of the client; its standard output.

        :raises Failed: it ended badly.
        """
        return answer_of(self.attempt(DOCKER, *arguments, stdin=stdin, quiet=quiet))

    def has_image(self, tag: str) -> bool:
        return bool(self.docker("image", "ls", "--quiet", tag).strip())

    def build(self, tag: str, context: Path, *options: str) -> None:
        """Build an image; the build may use the machine's network."""
        self.docker("build", "--network", "host", "--tag", tag, *options, str(context))

    def attempt(
        self,
        *command: str,
        stdin: IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        seconds: float = 900,
        quiet: bool = False,
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a command that may end badly.

        :param quiet: it holds secrets, or is called again and again: it does not go to the log.
        """
        done = subprocess.run(
            command,
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "DOCKER_HOST": self.socket, "DOCKER_BUILDKIT": "1", **(environment or {})},
            check=False,
            timeout=seconds,
        )
        if not quiet:
            with self.log.open("ab") as log:
                log.write(f"\n$ {shown(command)}\n".encode() + done.stdout + done.stderr)
        return done

    def _inside(self) -> Sequence[str]:
        return ["nsenter", f"--net=/run/netns/{self.namespace}"]

    def _call(self, *command: str) -> None:
        answer_of(self.attempt(*command))


def answer_of(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What a command wrote to its standard output.

    :raises Failed: it ended badly.
    """
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()[-15:]
        lines = "\n".join(f"        {line}" for line in said)
        raise Failed(f"`{shown(done.args)}` ended with {done.returncode}:\n{lines}")
    return done.stdout.decode(errors="replace")


def shown(command: Sequence[str]) -> str:
    """The beginning of a command."""
    return " ".join(command[:6]) + (" …" if len(command) > 6 else "")

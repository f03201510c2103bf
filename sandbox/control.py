"""The switches of running agents from outside: ``python -m sandbox.control SOCKET stop``, ``slow 500``, ``cut 1 2`` …

One command is one line of text, its answer one line of JSON. Every command takes line numbers at its end; without them
it means all lines. ``status`` says what each agent is doing.
"""

import argparse
import json
import socket
import socketserver
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol


class Switches(Protocol):
    """What a fleet of agents can be told."""

    def start(self, lines: Sequence[int] = ()) -> None: ...
    def stop(self, lines: Sequence[int] = ()) -> None: ...
    def restart(self, lines: Sequence[int] = ()) -> None: ...
    def slow(self, speed: float, lines: Sequence[int] = ()) -> None: ...
    def cut(self, lines: Sequence[int] = ()) -> None: ...
    def freeze(self, lines: Sequence[int] = ()) -> None: ...
    def status(self) -> dict[str, dict[str, object]]: ...


COMMANDS = ("start", "stop", "restart", "slow", "cut", "freeze", "status")


def obey(fleet: Switches, words: Sequence[str]) -> dict[str, object]:
    """Throw one switch; the answer is the status afterwards, or what is wrong with the command."""
    try:
        if not words or words[0] not in COMMANDS:
            raise ValueError(f"A command is one of {', '.join(COMMANDS)}.")
        name, values = words[0], list(words[1:])
        if name == "slow":
            if not values or float(values[0]) < 0:
                raise ValueError("slow needs a number of rows a second.")
            fleet.slow(float(values[0]), [int(value) for value in values[1:]])
        elif name != "status":
            getattr(fleet, name)([int(value) for value in values])
    except ValueError as error:
        return {"error": str(error)}
    return {"lines": fleet.status()}


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _TcpServer | _UnixServer)
        for line in self.rfile:
            answer = obey(self.server.fleet, line.decode("utf-8", "replace").split())
            self.wfile.write(json.dumps(answer).encode() + b"\n")
            self.wfile.flush()


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True
    fleet: Switches


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    fleet: Switches


class ControlServer:
    """Listens at ``address``, a path or a port of 127.0.0.1, and passes orders on to ``fleet``."""

    def __init__(self, address: str, fleet: Switches) -> None:
        self._server: _TcpServer | _UnixServer
        if address.isdigit():
            self._server = _TcpServer(("127.0.0.1", int(address)), _Handler)
        else:
            # A socket file left by a crash would refuse the next start.
            with suppress(FileNotFoundError):
                Path(address).unlink()
            self._server = _UnixServer(address, _Handler)
        self._server.fleet = fleet

    def start(self) -> None:
        """Listen, in a thread of its own."""
        threading.Thread(target=self._server.serve_forever, name="control", daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def send(address: str, *words: str) -> dict[str, Any]:
    """Give one order to the agents that listen at ``address``; their answer.

    :raises OSError: nobody listens there.
    """
    family = socket.AF_INET if address.isdigit() else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(60)
        connection.connect(("127.0.0.1", int(address)) if address.isdigit() else address)
        connection.sendall(" ".join(words).encode() + b"\n")
        with connection.makefile("rb") as answers:
            answer: dict[str, Any] = json.loads(answers.readline() or b'{"error": "no answer"}')
    return answer


def main() -> int:
    """The command line; 0 when the order was obeyed."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.control", description="Switches of the sandbox's agents.")
    parser.add_argument("address", help="the agents' --control: a socket's path or a port")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("values", nargs="*", help="slow: rows a second; then line numbers, default all")
    options = parser.parse_args()
    try:
        answer = send(options.address, options.command, *options.values)
    except OSError as error:
        answer = {"error": f"Nobody listens at {options.address}: {error}. Do the agents run?"}
    print(json.dumps(answer, indent=1))
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main())

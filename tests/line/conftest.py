"""A real MariaDB for the tests of the SMS line, with the product's own tables in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from MySQLdb.connections import Connection

from include.delivery.line_connection import connect_for_hand_over, connect_line
from include.delivery.line_schema import create_line_tables, log_tables, queue_table
from tests.line.server import LineServer

LINES = (1, 2, 3)


@pytest.fixture(scope="session")
def line_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LineServer]:
    """The server, started once for all tests of this room."""
    server = LineServer(Path(tmp_path_factory.mktemp("line")))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def line_tables(line_server: LineServer) -> str:
    """The URL, as their owner, of a database that holds the tables of lines 1 to 3."""
    with connect_line(line_server.tables_url) as conn:
        create_line_tables(conn, LINES)
    return line_server.tables_url


@pytest.fixture
def line_url(line_server: LineServer, line_tables: str) -> str:
    """The URL, as the carrier's agents, of a database whose line tables are empty."""
    with connect_line(line_tables) as conn, conn.cursor() as cursor:
        for line in LINES:
            for table in (queue_table(line), *log_tables(conn, line)):
                cursor.execute(f"DELETE FROM {table}")
        cursor.execute("DELETE FROM BONGSU_HANDOVER")
        cursor.execute("DROP TABLE IF EXISTS SANDBOX_SENT")
        conn.commit()
    return line_server.agent_url


@pytest.fixture
def connect(line_url: str, line_tables: str) -> Iterator[Callable[[], Connection]]:
    """Opens connections of the tables' owner to empty tables; closed after the test."""
    opened: list[Connection] = []

    def open_one() -> Connection:
        opened.append(connect_for_hand_over(line_tables))
        return opened[-1]

    yield open_one
    for conn in opened:
        conn.close()

"""Errors as real servers give them: each is provoked, and has its kind and its sentence."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import MySQLdb
import psycopg
import pytest
from MySQLdb.connections import Connection
from psycopg.rows import TupleRow

from include.delivery.line_connection import connect_line
from include.store import connect
from include.taxonomy import Kind, classify
from tests.line.server import LineServer
from tests.support import Databases


def error_of(provoke: Callable[[], object]) -> BaseException:
    """The error that ``provoke`` ends with."""
    try:
        provoke()
    except Exception as error:
        return error
    pytest.fail("there was no error")


def judged(provoke: Callable[[], object], kind: Kind, *words: str) -> None:
    """The error is of the kind, and its sentence holds the words."""
    verdict = classify(error_of(provoke))
    sentence = verdict.sentence()
    assert (verdict.kind, [word for word in words if word not in sentence]) == (kind, []), sentence
    assert "\n" not in sentence


def replaced(url: str, *, password: str | None = None, port: int | None = None, database: str | None = None) -> str:
    parts = urlsplit(url)
    netloc = f"{parts.username}:{password or parts.password}@{parts.hostname}:{port or parts.port}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path))


@pytest.fixture
def stores(databases: Databases) -> Iterator[Callable[[], psycopg.Connection[TupleRow]]]:
    """Opens connections of the owner, closed after the test."""
    opened: list[psycopg.Connection[TupleRow]] = []

    def one() -> psycopg.Connection[TupleRow]:
        opened.append(connect(databases.owner_url))
        return opened[-1]

    yield one
    for connection in opened:
        connection.close()


@pytest.fixture
def lines(databases: Databases) -> Iterator[Callable[[], Connection]]:
    """Opens connections to the line, closed after the test."""
    opened: list[Connection] = []

    def one() -> Connection:
        opened.append(connect_line(databases.line_url))
        return opened[-1]

    yield one
    for connection in opened:
        with suppress(MySQLdb.Error):
            connection.close()


@pytest.fixture
def table(databases: Databases) -> Iterator[str]:
    """A table with two rows of nobody's runs. Asked for before ``lines``, whose locks must go first."""
    name = "BONGSU_HANDOVER"
    with connect_line(databases.line_tables_url) as line:
        run(line, f"INSERT INTO {name} VALUES (-1, 0, 1, 'x', 0, NOW(6)), (-2, 0, 1, 'x', 0, NOW(6))")
        line.commit()
        yield name
        run(line, f"DELETE FROM {name} WHERE run_id < 0")
        line.commit()


def run(line: Connection, statement: str) -> Any:
    with line.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


class TestTheStore:
    def test_wrong_password(self, databases: Databases) -> None:
        url = replaced(databases.store_url, password="wrong")
        judged(lambda: connect(url), Kind.permanent, "does not let us in", "not tried again")

    def test_no_such_database(self, databases: Databases) -> None:
        url = replaced(databases.store_url, database="nowhere")
        judged(lambda: connect(url), Kind.permanent, "lacks the database")

    def test_nobody_listens(self, databases: Databases) -> None:
        url = replaced(databases.store_url, port=1)
        judged(lambda: connect(url), Kind.network, "did not answer", "follows in 30 s")

    def test_closed_for_connections(self, databases: Databases) -> None:
        admin = psycopg.connect(databases.admin_url, autocommit=True)
        with admin:
            admin.execute("CREATE DATABASE shut ALLOW_CONNECTIONS false")
        try:
            url = replaced(databases.store_url, database="shut")
            judged(lambda: connect(url), Kind.network, "starting, stopping")
        finally:
            with psycopg.connect(databases.admin_url, autocommit=True) as again:
                again.execute("DROP DATABASE shut")

    def test_killed_connection(self, databases: Databases, stores: Callable[[], Any]) -> None:
        store = stores()
        with psycopg.connect(databases.admin_url) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", [store.info.backend_pid])
        judged(lambda: store.execute("SELECT 1"), Kind.network, "The campaign store (PostgreSQL)")
        judged(lambda: store.execute("SELECT 1"), Kind.network)  # and every use after it

    def test_missing_table_and_column(self, stores: Callable[[], Any]) -> None:
        judged(lambda: stores().execute("SELECT 1 FROM nowhere"), Kind.permanent, '"nowhere" does not exist', "42P01")
        judged(lambda: stores().execute("SELECT nothing FROM runs"), Kind.permanent, "42703")

    def test_forbidden(self, databases: Databases) -> None:
        with connect(databases.store_url) as store:
            judged(lambda: store.execute("DROP TABLE runs"), Kind.permanent, "42501")

    def test_statement_timeout(self, stores: Callable[[], Any]) -> None:
        store = stores()
        store.execute("SET statement_timeout = 50")
        judged(lambda: store.execute("SELECT pg_sleep(5)"), Kind.contention, "57014", "Try 2 of 25")

    def test_lock_timeout(self, stores: Callable[[], Any]) -> None:
        one, two = stores(), stores()
        one.execute("SELECT pg_advisory_xact_lock(4711)")
        two.execute("SET lock_timeout = 50")
        judged(lambda: two.execute("SELECT pg_advisory_xact_lock(4711)"), Kind.contention, "55P03")

    def test_deadlock(self, stores: Callable[[], Any]) -> None:
        one, two = stores(), stores()
        take = "SELECT pg_advisory_xact_lock(%s)"
        one.execute(take, [1])
        two.execute(take, [2])
        found: list[BaseException] = []

        def cross(store: Any, key: int) -> None:
            try:
                store.execute(take, [key])
            except psycopg.Error as error:
                found.append(error)
            store.rollback()

        other = threading.Thread(target=cross, args=(one, 2))
        other.start()
        cross(two, 1)
        other.join()
        assert [(classify(error).kind, "40P01" in classify(error).what) for error in found] == [(Kind.contention, True)]

    def test_a_value_that_does_not_fit_is_not_repeated(self, stores: Callable[[], Any]) -> None:
        error = error_of(lambda: stores().execute("SELECT %s::int", ["01012345678x"]))
        verdict = classify(error)
        assert "01012345678" in str(error)  # the server does repeat it
        assert verdict.kind is Kind.permanent
        assert "0101234" not in verdict.sentence()


class TestTheLine:
    def test_wrong_password(self, databases: Databases) -> None:
        url = replaced(databases.line_url, password="wrong")
        judged(lambda: connect_line(url), Kind.permanent, "does not let us in", "1045")

    def test_nobody_listens(self, databases: Databases) -> None:
        judged(lambda: connect_line(replaced(databases.line_url, port=1)), Kind.network, "cannot be reached")

    def test_killed_connection(self, lines: Callable[[], Connection]) -> None:
        line = lines()
        with suppress(MySQLdb.Error):
            run(lines(), f"KILL {line.thread_id()}")
        judged(lambda: run(line, "SELECT 1"), Kind.network, "lost the connection")
        judged(lambda: run(line, "SELECT 1"), Kind.network)

    def test_missing_table(self, lines: Callable[[], Connection]) -> None:
        judged(lambda: run(lines(), "SELECT 1 FROM nowhere"), Kind.permanent, "nowhere' doesn't exist", "1146")

    def test_forbidden(self, lines: Callable[[], Connection]) -> None:
        judged(lambda: run(lines(), "SELECT * FROM mysql.global_priv"), Kind.permanent, "1142")

    def test_statement_timeout(self, lines: Callable[[], Connection]) -> None:
        line = lines()
        run(line, "SET max_statement_time = 0.1")
        judged(lambda: run(line, "SELECT MAX(MD5(seq)) FROM seq_1_to_2000000000"), Kind.contention, "1969")

    def test_lock_wait(self, table: str, lines: Callable[[], Connection]) -> None:
        one, two = lines(), lines()
        run(one, f"SELECT * FROM {table} WHERE run_id = -1 FOR UPDATE")
        run(two, "SET innodb_lock_wait_timeout = 1")
        update = f"SELECT * FROM {table} WHERE run_id = -1 FOR UPDATE"
        judged(lambda: run(two, update), Kind.contention, "1205", "find who holds it")

    def test_deadlock(self, table: str, lines: Callable[[], Connection]) -> None:
        one, two = lines(), lines()
        take = f"SELECT * FROM {table} WHERE run_id = %s FOR UPDATE"
        run(one, take % -1)
        run(two, take % -2)
        found: list[BaseException] = []

        def cross(line: Connection, number: int) -> None:
            try:
                run(line, take % number)
            except MySQLdb.Error as error:
                found.append(error)
            line.rollback()

        other = threading.Thread(target=cross, args=(one, -2))
        other.start()
        cross(two, -1)
        other.join()
        assert [(classify(error).kind, "1213" in classify(error).what) for error in found] == [(Kind.contention, True)]

    def test_a_row_that_is_there_already_is_not_repeated(self, table: str, lines: Callable[[], Connection]) -> None:
        line = lines()
        again = f"INSERT INTO {table} VALUES (-1, 0, 1, 'x', 0, NOW(6))"
        error = error_of(lambda: run(line, again))
        assert "'-1-0-1'" in str(error)
        assert classify(error).kind is Kind.permanent
        assert "-1-0-1" not in classify(error).sentence()


def test_a_line_whose_server_is_stopped(tmp_path: Path) -> None:
    server = LineServer(tmp_path)
    server.start()
    try:
        line = connect_line(replaced(server.url, database="smsline"))
    finally:
        server.stop()
    judged(lambda: run(line, "SELECT 1"), Kind.network, "lost the connection")
    judged(lambda: connect_line(server.url), Kind.network, "cannot be reached", "Check that it runs")

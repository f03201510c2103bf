"""The line's tables, procedure and event, on a real server."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from MySQLdb.connections import Connection

from include.delivery.line_connection import connect_line, line_arguments
from include.delivery.line_schema import create_line_tables, log_table, log_tables, queue_table
from include.errors import Unavailable
from tests.line.server import LineServer

Connect = Callable[[], Connection]


def months_from(year: int, month: int, count: int) -> list[str]:
    """``count`` months as ``YYYYMM``, starting with the given one."""
    return [f"{year + (month - 1 + n) // 12}{(month - 1 + n) % 12 + 1:02d}" for n in range(count)]


def test_a_second_creation_changes_nothing(connect: Connect) -> None:
    conn = connect()
    cursor = conn.cursor()
    cursor.execute(
        "INSERT INTO SMSQ_SEND_1 (dest_no, call_back, msg_contents, sendreq_time) VALUES ('1', '2', 'x', NOW())"
    )
    conn.commit()
    create_line_tables(conn, [1, 2, 3])
    cursor.execute("SELECT COUNT(*) FROM SMSQ_SEND_1")
    assert cursor.fetchone() == (1,)


def test_log_tables_of_this_and_the_next_two_months_exist(connect: Connect) -> None:
    conn = connect()
    cursor = conn.cursor()
    cursor.execute("SELECT YEAR(NOW()), MONTH(NOW())")
    year, month = cursor.fetchone()
    wanted = {log_table(2, name) for name in months_from(year, month, 3)}
    assert wanted <= set(log_tables(conn, 2))


def test_queue_and_log_tables_have_the_same_columns(connect: Connect) -> None:
    conn = connect()
    cursor = conn.cursor()

    def columns(table: str) -> list[tuple[object, ...]]:
        cursor.execute(
            "SELECT column_name, column_type, is_nullable, column_default FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = %s ORDER BY ordinal_position",
            (table,),
        )
        return list(cursor.fetchall())

    assert columns("SMSQ_SEND_3") == columns(log_tables(conn, 3)[0])
    wanted = """seqno dest_no call_back subject msg_contents msg_type sendreq_time status_code rsv1 app_etc1 app_etc2
        mobsend_time repmsg_recvtm file_name1 file_name2 file_name3 k_template_code k_next_type"""
    assert [name for name, *_ in columns("SMSQ_SEND_3")] == wanted.split()


@pytest.mark.parametrize(
    ("today", "month"),
    [("2027-11-25 03:00:00", "202801"), ("2027-12-31 23:00:00", "202802")],
    ids=["across the year", "the 31st of a long month"],
)
def test_the_monthly_event_creates_the_tables_of_two_months_later(connect: Connect, today: str, month: str) -> None:
    conn = connect()
    cursor = conn.cursor()
    cursor.execute("SET timestamp = UNIX_TIMESTAMP(%s)", (today,))
    cursor.execute("CALL BONGSU_LOG_TABLES(2)")
    for line in (1, 2, 3):
        assert log_table(line, month) in log_tables(conn, line)
        cursor.execute(f"DROP TABLE {log_table(line, month)}")


def test_the_event_runs_on_the_25th_and_calls_that_procedure(connect: Connect) -> None:
    cursor = connect().cursor()
    cursor.execute(
        "SELECT interval_value, interval_field, starts, status, event_definition, time_zone"
        " FROM information_schema.events WHERE event_schema = DATABASE()"
    )
    assert cursor.fetchall() == (
        ("1", "MONTH", datetime(2026, 1, 25, 3), "ENABLED", "CALL BONGSU_LOG_TABLES(2)", "+09:00"),
    )


def test_the_connection_keeps_the_servers_time_zone(connect: Connect) -> None:
    conn = connect()
    cursor = conn.cursor()
    cursor.execute("SELECT @@autocommit, @@character_set_client, TIMEDIFF(NOW(), UTC_TIMESTAMP())")
    autocommit, charset, offset = cursor.fetchone()
    assert (autocommit, charset, str(offset)) == (0, "utf8mb4", "9:00:00")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="does not answer") as caught:
        connect_line("mysql://someone:secret-password@127.0.0.1:1/smsline")
    assert "secret-password" not in str(caught.value)


def test_a_wrong_url_is_refused_without_repeating_its_password(line_server: LineServer) -> None:
    with pytest.raises(ValueError, match="must look like") as caught:
        connect_line(line_server.url.replace("mysql:", "postgresql:"))
    assert line_server.url.split(":")[2].split("@")[0] not in str(caught.value)
    with pytest.raises(ValueError, match="option 'compress'"):
        line_arguments(line_server.url + "?compress=1")


def test_a_password_may_hold_any_character() -> None:
    arguments = line_arguments("mysql://me%40here:a%2Fb%3Ac%40d%25@db:3307/smsline?unix_socket=/run/m.sock")
    assert (arguments["user"], arguments["password"]) == ("me@here", "a/b:c@d%")
    assert (arguments["host"], arguments["port"], arguments["database"]) == ("db", 3307, "smsline")
    assert arguments["unix_socket"] == "/run/m.sock"


def test_names() -> None:
    assert queue_table(11) == "SMSQ_SEND_11"
    assert log_table(1, "202601") == "SMSQ_SEND_1_202601"
    with pytest.raises(ValueError, match="no line 0"):
        queue_table(0)
    with pytest.raises(ValueError, match="YYYYMM"):
        log_table(1, "26-01; DROP")


def test_no_other_server_removes_its_temporary_tables(connect: Connect) -> None:
    cursor = connect().cursor()
    cursor.execute("SELECT @@datadir, @@tmpdir")
    data, temporary = map(Path, cursor.fetchone())
    assert temporary.parent == data.parent, "a server that starts empties the folder, whoever else uses it"

"""Who may do what on the line: each account what it is there for, log tables of later months included."""

from collections.abc import Callable

import MySQLdb
import pytest
from MySQLdb.constants import ER

from include.delivery.line_connection import connect_line
from include.delivery.line_schema import log_tables
from tests.line.server import LineServer

COLUMNS = "dest_no, call_back, msg_contents, sendreq_time"
ROW = f"INSERT INTO SMSQ_SEND_1 ({COLUMNS}) VALUES ('1', '2', 'x', NOW())"
READ = ("SELECT 1 FROM SMSQ_SEND_1", "SELECT 1 FROM {log}", "SELECT 1 FROM BONGSU_HANDOVER")
LOCK = "SELECT GET_LOCK('SMSQ_SEND_1', 1)"
CHANGE = ("UPDATE SMSQ_SEND_1 SET status_code = 6", "DELETE FROM SMSQ_SEND_1", "DELETE FROM {log}")
MAKE = (
    "CREATE TABLE OTHER (a INT)",
    "ALTER TABLE SMSQ_SEND_1 ADD a INT",
    "DROP TABLE {log}",
    "TRUNCATE TABLE SMSQ_SEND_1",
    "CALL BONGSU_LOG_TABLES(1)",
    "CREATE EVENT OTHER ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    "CREATE TRIGGER OTHER BEFORE INSERT ON SMSQ_SEND_1 FOR EACH ROW SET NEW.rsv1 = '1'",
    "SELECT * FROM mysql.global_priv",
    "SELECT 'x' INTO OUTFILE '/tmp/x'",
    "CREATE DATABASE other",
)
FORBIDDEN = {
    ER.DBACCESS_DENIED_ERROR,
    ER.TABLEACCESS_DENIED_ERROR,
    ER.ACCESS_DENIED_ERROR,
    ER.PROCACCESS_DENIED_ERROR,
    ER.SPECIFIC_ACCESS_DENIED_ERROR,
}


@pytest.mark.parametrize(
    ("url", "may", "may_not"),
    [
        (lambda server: server.url, (*READ, LOCK, ROW), (*CHANGE, *MAKE)),
        (lambda server: server.agent_url, (*READ, LOCK, ROW, *CHANGE), MAKE),
    ],
    ids=["the product reads and adds rows", "the agents change and move them"],
)
def test_an_account_may_do_what_it_is_there_for(
    line_url: str,
    line_server: LineServer,
    url: Callable[[LineServer], str],
    may: tuple[str, ...],
    may_not: tuple[str, ...],
) -> None:
    with connect_line(line_server.tables_url) as owner:
        owner.cursor().execute("CALL BONGSU_LOG_TABLES(9)")  # what the event will do in months to come
        later = log_tables(owner, 1)[-1]
    with connect_line(url(line_server)) as line:
        for statement in may:
            line.query(statement.format(log=later))
            line.store_result()
        for statement in may_not:
            with pytest.raises(MySQLdb.Error) as refused:
                line.query(statement.format(log=later))
            assert refused.value.args[0] in FORBIDDEN, statement


def test_tables_of_later_months_are_made_with_their_owners_rights(line_url: str, line_server: LineServer) -> None:
    with connect_line(line_server.tables_url) as owner, owner.cursor() as cursor:
        cursor.execute("SELECT definer FROM information_schema.events WHERE event_schema = DATABASE()")
        assert cursor.fetchall() == (("bongsu_tables@127.0.0.1",),)

"""The SMS line: the carrier agents' MySQL or MariaDB."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from hooks.campaign_store import database_url

if TYPE_CHECKING:
    from MySQLdb.connections import Connection


class SmsLineHook(BaseHook):
    """Connects to the database of the carrier agents' queue tables.

    :param line_conn_id: Airflow connection of type ``bongsu_line``: host, port, login, password, and the database as
        schema. The user needs SELECT and INSERT on the queue, log and marker tables, nothing else.
    """

    conn_name_attr = "line_conn_id"
    default_conn_name = "bongsu_line"
    conn_type = "bongsu_line"
    hook_name = "Bongsu SMS line"

    def __init__(self, line_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.line_conn_id = line_conn_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """What the connection's form shows."""
        return {
            "hidden_fields": [],
            "relabeling": {"schema": "Database"},
            "placeholders": {"login": "bongsu", "schema": "smsline", "port": "3306"},
        }

    def get_url(self) -> str:
        """The connection as ``mysql://…``."""
        return database_url("mysql", self.get_connection(self.line_conn_id), 3306)

    def get_conn(self) -> "Connection":
        """A connection of its own: named locks and transactions live and die with it.

        :raises Unavailable: the server does not answer.
        """
        from include.delivery.line_connection import connect_line

        return connect_line(self.get_url())

    def get_hand_over_conn(self) -> "Connection":
        """A connection for a hand-over: files may go to the server where its identity is certain.

        :raises Unavailable: the server does not answer.
        """
        from include.delivery.line_connection import connect_for_hand_over

        return connect_for_hand_over(self.get_url())

    def test_connection(self) -> tuple[bool, str]:
        """For the button in Airflow's UI."""
        try:
            line = self.get_conn()
            with line.cursor() as cursor:
                cursor.execute("SELECT 1 FROM BONGSU_HANDOVER LIMIT 1")
            line.close()
        except Exception as error:
            return False, str(error)
        return True, "The SMS line answers, and its marker table is there."

"""The campaign store: PostgreSQL, as the application role, bound to one tenant."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    import psycopg


class CampaignStoreHook(BaseHook):
    """Connects to the campaign store.

    :param store_conn_id: Airflow connection of type ``bongsu_store``: host, port, login, password, and the database as
        schema. Extra fields become parameters of the connection URL, such as ``sslmode``.
    """

    conn_name_attr = "store_conn_id"
    default_conn_name = "bongsu_store"
    conn_type = "bongsu_store"
    hook_name = "Bongsu campaign store"

    def __init__(self, store_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.store_conn_id = store_conn_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """What the connection's form shows."""
        return {
            "hidden_fields": [],
            "relabeling": {"schema": "Database"},
            "placeholders": {"login": "bongsu_app", "schema": "bongsu", "port": "5432"},
        }

    def get_url(self) -> str:
        """The connection as ``postgresql://…``."""
        return database_url("postgresql", self.get_connection(self.store_conn_id), 5432)

    def get_conn(self, tenant_id: int | None = None, *, actor: str = "") -> "psycopg.Connection":
        """A connection that sees ``tenant_id`` and the tenants below it; ``None`` for the platform role.

        :param actor: whom it acts for, for the audit log.
        :raises Unavailable: the store does not answer.
        """
        from include.store import connect

        return connect(self.get_url(), tenant_id, actor=actor)

    def test_connection(self) -> tuple[bool, str]:
        """For the button in Airflow's UI."""
        try:
            with self.get_conn() as store:
                store.execute("SELECT 1 FROM runs LIMIT 1")
        except Exception as error:
            return False, str(error)
        return True, "The campaign store answers, and its tables are there."


def database_url(scheme: str, connection: Any, port: int) -> str:
    """An Airflow connection as a URL, with every part percent-encoded."""
    login = quote(connection.login or "", safe="")
    secret = f":{quote(connection.password, safe='')}" if connection.password else ""
    extra = "&".join(f"{quote(str(k))}={quote(str(v))}" for k, v in sorted(connection.extra_dejson.items()))
    query = f"?{extra}" if extra else ""
    host = connection.host or "127.0.0.1"
    return f"{scheme}://{login}{secret}@{host}:{connection.port or port}/{quote(connection.schema or '')}{query}"

"""Which services there are, and the environment in which the product's own code finds them."""

import json
import os
import sys
from urllib.parse import urlsplit

from include.embedded import agents, airflow, mariadb, postgres
from include.embedded.processes import base_environment
from include.embedded.service import Service, Site
from include.embedded.state import Level


def task_environment(site: Site) -> dict[str, str]:
    """What the stages of a run need: their settings, and Airflow's connections as the roles that are bound to tenants
    and to reading and adding rows.
    """
    store, line = site.store_url("bongsu_app"), site.line_url
    return {
        "BONGSU_HOME": str(site.home.path),
        "BONGSU_STORE_URL": store,
        "BONGSU_LINE_URL": line,
        "BONGSU_KEYRING": str(site.home.keyring),
        "BONGSU_MANIFESTS": str(site.home.manifests),
        # The lines of this machine lead to the sandbox: nobody is woken at night, unless somebody wants to see it.
        "BONGSU_QUIET_HOURS": os.environ.get("BONGSU_QUIET_HOURS", "off"),
        "AIRFLOW_CONN_BONGSU_STORE": _connection("bongsu_store", store),
        "AIRFLOW_CONN_BONGSU_LINE": _connection("bongsu_line", line),
    }


def product_environment(site: Site) -> dict[str, str]:
    """What commands and the steps that prepare the databases need: all settings, those of the mighty roles included."""
    return {
        **task_environment(site),
        "BONGSU_PLATFORM_URL": site.store_url("bongsu_platform"),
        "BONGSU_OWNER_URL": site.store_url("bongsu_owner"),
        "BONGSU_LINE_TABLES_URL": site.line_tables_url,
        "BONGSU_AIRFLOW_URL": site.airflow_url,
        "BONGSU_AIRFLOW_USER": airflow.USER,
        "BONGSU_AIRFLOW_PASSWORD": site.secrets["admin"],
    }


def _connection(kind: str, url: str) -> str:
    parts = urlsplit(url)
    return json.dumps(
        {
            "conn_type": kind,
            "host": parts.hostname,
            "port": parts.port,
            "login": parts.username,
            "password": parts.password,
            "schema": parts.path.lstrip("/"),
        }
    )


def environment(site: Site) -> dict[str, str]:
    """Everything a process of this home needs: product, Airflow, and the marker by which it is found."""
    return {**base_environment(site.home.path), **product_environment(site), **airflow.environment(site)}


def catalog(site: Site) -> list[Service]:
    """All services of this home, those that others need first."""
    product = {**base_environment(site.home.path), **product_environment(site)}
    prepare = [sys.executable, "-m", "include.embedded.prepare"]
    return [
        postgres.service(site),
        mariadb.service(site),
        Service(
            name="store-schema",
            title="campaign store",
            level=Level.databases,
            needs=("postgres",),
            command=[*prepare, "store"],
            environment=product,
            once=True,
        ),
        Service(
            name="line-tables",
            title="SMS line tables",
            level=Level.databases,
            needs=("mariadb",),
            command=[*prepare, "lines"],
            environment=product,
            once=True,
        ),
        agents.service(site),
        *airflow.services(site, {**base_environment(site.home.path), **task_environment(site)}),
    ]

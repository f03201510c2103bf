"""Steps that bring the databases to what this version of the product expects; each is safe to repeat.

Run as ``python -m include.embedded.prepare store|lines|login`` with the settings in the environment.
"""

import os
import sys
from pathlib import Path

from include.errors import BongsuError
from include.settings import settings


def prepare_store() -> None:
    """The campaign store's schema, what a new store starts with, the key ring, and the manifests."""
    from include.campaigns.manifest import compile_manifests
    from include.embedded.seed import seed
    from include.privacy.ring import prepare_ring
    from include.store import connect
    from include.store_migrations import upgrade

    values = settings()
    upgrade(values.owner_url)
    # Before anything else: with another ring nothing may start.
    with connect(values.owner_url) as owner:
        prepare_ring(owner, values.keyring)
    seed(values.platform_url)
    with connect(values.platform_url) as platform:
        compile_manifests(platform, values.manifests)


def prepare_lines() -> None:
    """The SMS lines' tables."""
    from include.delivery.line_connection import connect_line
    from include.delivery.line_schema import create_line_tables
    from include.embedded.seed import LINES

    connection = connect_line(settings().line_tables_url)
    try:
        create_line_tables(connection, LINES)
    finally:
        connection.close()


def prepare_login() -> None:
    """The file from which Airflow's simple auth manager takes its user's password; without it Airflow makes one up and
    writes it to its log.
    """
    from include.embedded.state import write_json

    values = settings()
    path = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    write_json(path, {values.airflow_user: values.airflow_password})


STEPS = {"store": prepare_store, "lines": prepare_lines, "login": prepare_login}

if __name__ == "__main__":
    try:
        STEPS[sys.argv[1]]()
    except BongsuError as error:
        # The sentence alone: a traceback below it would push it out of the end of the log that is shown.
        sys.exit(f"Error: {error}")

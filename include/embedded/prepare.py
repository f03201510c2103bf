"""Steps that bring the databases to what this version of the product expects; each is safe to repeat.

Run as ``python -m include.embedded.prepare store|lines`` with the settings in the environment.
"""

import sys

from include.errors import BongsuError
from include.settings import settings

LINES = range(1, 12)


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

    connection = connect_line(settings().line_tables_url)
    try:
        create_line_tables(connection, LINES)
    finally:
        connection.close()


STEPS = {"store": prepare_store, "lines": prepare_lines}

if __name__ == "__main__":
    try:
        STEPS[sys.argv[1]]()
    except BongsuError as error:
        # The sentence alone: a traceback below it would push it out of the end of the log that is shown.
        sys.exit(f"Error: {error}")

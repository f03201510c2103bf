"""Steps that bring the databases to what this version of the product expects; each is safe to repeat.

Run as ``python -m include.embedded.prepare store|lines`` with the settings in the environment.
"""

import sys

from include.settings import settings

LINES = range(1, 12)


def prepare_store() -> None:
    """The campaign store's schema, what a new store starts with, the key ring, and the manifests."""
    from include.campaigns.manifest import compile_manifests
    from include.embedded.seed import seed
    from include.privacy.cipher import KeyRing
    from include.store import connect
    from include.store_migrations import upgrade

    values = settings()
    upgrade(values.owner_url)
    seed(values.platform_url)
    if not values.keyring.exists():
        KeyRing.create(values.keyring)
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
    STEPS[sys.argv[1]]()

"""The campaign store's schema, moved forward and back by Alembic.

A migration is a pair of SQL files in ``sql/store/``: ``<revision>.up.sql`` and ``<revision>.down.sql``.
``python -m include.store_migrations upgrade|downgrade [REVISION]`` runs them as the owner of the tables.
"""

import argparse

from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from include.settings import ROOT, settings

STORE_SQL = ROOT / "sql" / "store"


def run_sql(name: str) -> None:
    """Run ``sql/store/<name>.sql`` on the migration's connection; the file may hold many statements."""
    text = (STORE_SQL / f"{name}.sql").read_text(encoding="utf-8")
    # the driver's own cursor, without parameters: colons and percent signs are SQL's here
    op.get_bind().connection.cursor().execute(text.encode())


def newest() -> str:
    """The last revision that this version has."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "sql" / "migrations"))
    return config


def _run(owner_url: str, action: str, revision: str) -> None:
    config = _config()
    engine = create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        if action == "upgrade":
            command.upgrade(config, revision)
        else:
            command.downgrade(config, revision)


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Bring the store to ``revision``; does nothing when it is there already."""
    _run(owner_url, "upgrade", revision)


def downgrade(owner_url: str, revision: str = "base") -> None:
    """Take the store back to ``revision``; ``base`` drops everything, data included."""
    _run(owner_url, "downgrade", revision)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m include.store_migrations", description=__doc__)
    parser.add_argument("action", choices=["upgrade", "downgrade"])
    parser.add_argument("revision", nargs="?")
    arguments = parser.parse_args()
    if arguments.action == "upgrade":
        upgrade(settings().owner_url, arguments.revision or "head")
    else:
        downgrade(settings().owner_url, arguments.revision or "base")


if __name__ == "__main__":
    main()

"""The campaign store's schema, moved forward and back by Alembic.

A migration is a pair of SQL files in ``sql/store/``: ``<revision>.up.sql`` and ``<revision>.down.sql``. Each leaves a
hash of all files up to it in the store, so that a store whose files were others is not moved on.
``python -m include.store_migrations upgrade|downgrade [REVISION]`` runs them as the owner of the tables.
"""

import argparse
import hashlib

from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text

from include.errors import BongsuError
from include.settings import ROOT, settings

STORE_SQL = ROOT / "sql" / "store"


def run_sql(name: str) -> None:
    """Run ``sql/store/<name>.sql`` on the migration's connection; the file may hold many statements."""
    statements = (STORE_SQL / f"{name}.sql").read_text(encoding="utf-8")
    if made_by := _made_by(name):
        statements += f"\nCOMMENT ON SCHEMA bongsu IS '{made_by}';"
    # the driver's own cursor, without parameters: colons and percent signs are SQL's here
    op.get_bind().connection.cursor().execute(statements.encode())


def _made_by(name: str) -> str | None:
    """The hash of the files that made the schema as it is after ``name``; ``None`` when nothing is left."""
    revision, way = name.rsplit(".", 1)
    files = [file for file in sorted(STORE_SQL.glob("*.up.sql")) if file.name <= f"{revision}.up.sql"]
    files = files[:-1] if way == "down" else files
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest() if files else None


def _check_past(connection: Connection) -> None:
    """Refuse a store that other files have made than those of this version."""
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision is None:
        return
    if not (STORE_SQL / f"{revision}.up.sql").exists():
        raise BongsuError(
            f"The campaign store has the schema {revision}, which this version does not know: a later version has made "
            "it, or the database is another program's. Nothing was changed."
        )
    if connection.scalar(text("SELECT obj_description('bongsu'::regnamespace)")) != _made_by(f"{revision}.up"):
        raise BongsuError(
            f"The campaign store was made by a development version whose schema {revision} was another. It cannot be "
            "brought forward: remove it, and begin with an empty one. Where Bongsu runs its own servers, that is: "
            "bongsu down, then remove the state directory."
        )


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
        _check_past(connection)
        connection.commit()
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

"""${message}"""

from include.store_migrations import run_sql

revision = "${up_revision}"
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    run_sql("${up_revision}.up")


def downgrade() -> None:
    run_sql("${up_revision}.down")

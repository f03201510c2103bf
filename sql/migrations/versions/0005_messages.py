"""Messages and their events, partitioned by month."""

from include.store_migrations import run_sql

revision = "0005_messages"
down_revision = "0004_runs"


def upgrade() -> None:
    run_sql("0005_messages.up")


def downgrade() -> None:
    run_sql("0005_messages.down")

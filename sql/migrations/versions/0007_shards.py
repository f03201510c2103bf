"""Which loader a new campaign's DAG goes to."""

from include.store_migrations import run_sql

revision = "0007_shards"
down_revision = "0006_reporting"


def upgrade() -> None:
    run_sql("0007_shards.up")


def downgrade() -> None:
    run_sql("0007_shards.down")

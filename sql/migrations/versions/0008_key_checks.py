"""What the store knows of the key ring's keys."""

from include.store_migrations import run_sql

revision = "0008_key_checks"
down_revision = "0007_shards"


def upgrade() -> None:
    run_sql("0008_key_checks.up")


def downgrade() -> None:
    run_sql("0008_key_checks.down")

"""Runs, their staged targets, frozen recipients, exclusions and chunks."""

from include.store_migrations import run_sql

revision = "0004_runs"
down_revision = "0003_campaigns"


def upgrade() -> None:
    run_sql("0004_runs.up")


def downgrade() -> None:
    run_sql("0004_runs.down")

"""Tenants, carrier lines and the row-level security every later table uses."""

from include.store_migrations import run_sql

revision = "0001_tenants"
down_revision = None


def upgrade() -> None:
    run_sql("0001_tenants.up")


def downgrade() -> None:
    run_sql("0001_tenants.down")

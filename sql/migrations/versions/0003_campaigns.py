"""Campaigns, their versions, and the kill switch."""

from include.store_migrations import run_sql

revision = "0003_campaigns"
down_revision = "0002_contacts"


def upgrade() -> None:
    run_sql("0003_campaigns.up")


def downgrade() -> None:
    run_sql("0003_campaigns.down")

"""Report tables, certificates and the audit log."""

from include.store_migrations import run_sql

revision = "0006_reporting"
down_revision = "0005_messages"


def upgrade() -> None:
    run_sql("0006_reporting.up")


def downgrade() -> None:
    run_sql("0006_reporting.down")

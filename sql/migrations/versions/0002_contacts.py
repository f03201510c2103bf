"""Contacts with consent and suppression."""

from include.store_migrations import run_sql

revision = "0002_contacts"
down_revision = "0001_tenants"


def upgrade() -> None:
    run_sql("0002_contacts.up")


def downgrade() -> None:
    run_sql("0002_contacts.down")

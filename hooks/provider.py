"""What Airflow asks a provider for: its name and its connection types."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's description, as Airflow's provider schema has it."""
    return {
        "package-name": "bongsu",
        "name": "Bongsu",
        "description": "Campaign messaging: every message handed over exactly once, and the books prove it.",
        "connection-types": [
            {
                "hook-class-name": "hooks.campaign_store.CampaignStoreHook",
                "connection-type": "bongsu_store",
                "hook-name": "Bongsu campaign store",
            },
            {
                "hook-class-name": "hooks.sms_line.SmsLineHook",
                "connection-type": "bongsu_line",
                "hook-name": "Bongsu SMS line",
            },
        ],
    }

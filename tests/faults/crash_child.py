"""A process of its own that sends a campaign from import to books: ``python -m tests.faults.crash_child``.

What to send comes as JSON on standard input. The crash is armed by the environment.
"""

import json
import sys
from pathlib import Path

from include.campaigns import runs
from include.delivery.line_connection import connect_line
from include.privacy.cipher import KeyRing
from include.reporting.books import close
from include.store import connect
from tests.support import Campaign, Databases, finish_rows


def order(campaign: Campaign) -> str:
    """What the process needs to know."""
    databases = campaign.databases
    return json.dumps(
        {
            "store": databases.store_url,
            "line": databases.line_url,
            "keyring": str(databases.keyring),
            "home": str(databases.home),
            "tenant": campaign.tenant_id,
            "campaign": campaign.campaign_id,
            "run": campaign.run.run_id,
        }
    )


def through(campaign: Campaign) -> None:
    """Every stage in its order, as Airflow's tasks do them; each finds what was done before."""
    if campaign.again().frozen_at is None:
        campaign.import_()
        campaign.freeze()
    campaign.send_frozen()
    finish_rows(campaign, 6)
    campaign.collect()
    close(campaign.store, campaign.again())
    runs.set_state(campaign.store, campaign.run.run_id, "finished")
    campaign.again()


def main() -> None:
    asked = json.load(sys.stdin)
    keyring = Path(asked["keyring"])
    databases = Databases(Path(asked["home"]), asked["store"], "", "", "", asked["line"], "", keyring, {})
    store = connect(asked["store"], asked["tenant"])
    run = runs.load(store, asked["run"])
    line = connect_line(asked["line"])
    ring = KeyRing.load(keyring)
    through(Campaign(databases, asked["tenant"], asked["campaign"], run.spec, store, line, ring, run))


if __name__ == "__main__":
    main()

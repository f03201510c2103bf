"""The example campaign: what a new installation shows before anybody has written a campaign."""

from include.cli.applying import apply_file
from include.cli.output import message_of, say
from include.errors import BongsuError
from include.settings import ROOT

TENANT, SLUG = "acme", "welcome"
EXAMPLE = ROOT / "campaigns" / TENANT / "example" / f"{SLUG}.yaml"


def apply_example() -> str | None:
    """Apply the example when the store has never had it, and wait until Airflow shows its DAG, which is paused.

    Its files are customer files like any others, so it is left alone where those of its tenant lie elsewhere.

    :returns: its name in Airflow's list, or ``None`` when it was not applied now.
    """
    from include.campaigns.customer_files import folder_of
    from include.cli.airflow_api import airflow
    from include.cli.run_flow import order, wait_for_dag
    from include.cli.store import platform
    from include.queries import query

    with platform() as connection:
        row = connection.execute(query("campaigns/known"), {"tenant": TENANT, "slug": SLUG}).fetchone()
    if row is not None or not EXAMPLE.resolve().is_relative_to(folder_of(TENANT)):
        return None
    try:
        applied = apply_file(EXAMPLE)
        with airflow() as session:
            wait_for_dag(session, order(applied))
            return str((session.dag(applied.dag_id) or {})["dag_display_name"])
    except BongsuError as error:  # the services are up; that is what was asked for
        say(f"The example campaign is not in Airflow's list: {message_of(error)}")
        return None

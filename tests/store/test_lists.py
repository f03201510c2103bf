"""What the command line lists of campaigns and runs, and that a run is only shown as one of its own campaign."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.campaigns.guard import Refusal
from include.campaigns.guarding import Asked, guard
from include.delivery.chunks import plan_chunks
from include.queries import query
from tests.store.conftest import Make
from tests.support import Campaign, Databases

pytestmark = pytest.mark.services


def refuse(campaign: Campaign) -> None:
    """Pause the campaign and have a run of it refused."""
    values = {"slug": campaign.spec.slug, "state": "paused", "tenant": campaign.tenant_id}
    campaign.store.execute(query("campaigns/set_state"), values)
    campaign.store.commit()
    asked = Asked(run_after=datetime.now(UTC))
    _, decision = guard(campaign.store, campaign.campaign_id, campaign.spec.dag_id, "manual__refused", asked)
    assert isinstance(decision, Refusal)


def test_every_campaign_is_listed_with_its_schedule_and_its_last_run(databases: Databases, make: Make) -> None:
    campaign = make(3)
    refuse(campaign)
    last = campaign.value("SELECT max(run_id) FROM runs WHERE campaign_id = %s", campaign.campaign_id)
    done = databases.bongsu("campaign", "list")
    line = next(line for line in done.stdout.splitlines() if f"/{campaign.spec.slug} " in line)
    assert f" paused    version 1    run {last} refused " in line
    assert line.endswith("봄맞이 · When a person starts it.")


def test_a_schedule_that_cannot_be_read_keeps_no_other_campaign_from_the_list(databases: Databases, make: Make) -> None:
    broken, other = make(1), make(1)
    schedule = "UPDATE campaign_versions SET spec = jsonb_set(spec, '{schedule}', %s) WHERE campaign_id = %s"
    broken.tamper(schedule, '{"daily": "25:00"}', broken.campaign_id)
    try:
        listed = databases.bongsu("campaign", "list").stdout
    finally:
        broken.tamper(schedule, "{}", broken.campaign_id)
    assert f"/{other.spec.slug} " in listed
    assert "Its schedule cannot be used; correct and apply it." in listed


def test_the_last_runs_are_listed_with_the_first_words_of_a_refusal(databases: Databases, make: Make) -> None:
    campaign = make(3)
    campaign.import_()
    campaign.freeze()
    plan_chunks(campaign.store, campaign.run)
    refuse(campaign)
    refused, going = databases.bongsu("runs", campaign.spec.slug).stdout.splitlines()
    assert going.startswith(f"run {campaign.run.run_id} ")
    assert going.endswith(" started     recipients 3")
    assert " refused     paused: The campaign is paused. Make it live first: bongsu state SLUG live." in refused
    assert databases.bongsu("runs", campaign.spec.slug, "--last", "1").stdout.splitlines() == [refused]


@pytest.mark.parametrize("command", ["report", "rejected"])
def test_a_run_of_another_campaign_is_not_shown_as_ones_own(
    databases: Databases, make: Make, tmp_path: Path, command: str
) -> None:
    mine, other = make(3), make(3)
    file = tmp_path / "rows.csv"
    to = ("--out", file) if command == "rejected" else ()
    for number in (other.run.run_id, 999_999_999):
        done = databases.bongsu(command, mine.spec.slug, "--run", str(number), *to)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"Error: {mine.spec.slug} has no run {number}. Leave --run out for its last one\n"
    assert not file.exists()


def test_a_report_of_a_run_under_way_counts_its_people_and_calls_no_books_open(
    databases: Databases, make: Make
) -> None:
    campaign = make(3)
    campaign.import_()
    campaign.freeze()
    plan_chunks(campaign.store, campaign.run)
    shown = databases.bongsu("report", campaign.spec.slug).stdout.splitlines()
    assert [line.split()[-1] for line in shown if line.startswith("recipients")] == ["3"]
    assert shown[-1] == "under way: the books are not closed yet"


COMMANDS = ("state {} paused", "runs {}", "report {}", "rejected {}", "audit {}")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_a_campaign_that_a_tenant_has_not_is_said_so(databases: Databases, make: Make, command: str) -> None:
    """Whoever stops a wrong message and mistypes its name must not believe that it stopped."""
    campaign, other = make(1), make(1)
    mine, others = (
        str(one.value("SELECT slug FROM tenants WHERE tenant_id = %s", one.tenant_id)) for one in (campaign, other)
    )
    slug = campaign.spec.slug
    campaign.tamper("UPDATE campaigns SET slug = 'only-mine' WHERE campaign_id = %s", campaign.campaign_id)
    try:
        for name, tenant in (("nosuch", mine), ("only-mine", others)):
            done = databases.bongsu(*command.format(name).split(), "--tenant", tenant)
            assert done.returncode == 1, done.stdout
            assert "campaign" in done.stderr
            assert done.stdout == ""
    finally:
        campaign.tamper("UPDATE campaigns SET slug = %s WHERE campaign_id = %s", slug, campaign.campaign_id)

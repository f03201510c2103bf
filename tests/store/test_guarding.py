"""The guard and the holds against a real store: who may begin, and what stops the next chunk of a run that went."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from include.campaigns import guarding, runs
from include.campaigns.guard import Go, Refusal
from include.campaigns.guarding import Asked, ask_for_hold, guard
from include.campaigns.runs import Run
from include.delivery.chunks import load_chunk, plan_chunks
from include.delivery.dispatch import Barred, Dispatched, OnHold
from include.errors import Refused
from include.settings import ROOT, settings
from include.store import connect
from tests.store.conftest import Make
from tests.support import Campaign, make_tenant

pytestmark = pytest.mark.services

KILLED_GUARD = """
import sys
from datetime import datetime
from include.campaigns.guarding import Asked, guard
from include.store import connect

url, tenant, campaign, due = sys.argv[1:]
guard(connect(url, int(tenant)), int(campaign), "d", "scheduled__late", Asked(datetime.fromisoformat(due), "backfill"))
"""


def asks(campaign: Campaign, dag_run_id: str, **asked: object) -> tuple[Run, Go | Refusal]:
    """The guard's word on a run of the campaign."""
    what = Asked(**{"run_after": datetime.now(UTC), **asked})  # type: ignore[arg-type]  # any field
    return guard(campaign.store, campaign.campaign_id, campaign.run.dag_id, dag_run_id, what)


def frozen(campaign: Campaign) -> Campaign:
    campaign.import_()
    campaign.freeze()
    plan_chunks(campaign.store, campaign.run)
    return campaign


def audited(campaign: Campaign, action: str) -> int:
    return int(campaign.value("SELECT count(*) FROM audit_log WHERE action = %s", action))


def in_the_night(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quiet hours that have begun a while ago, for whoever is asleep now."""
    now = datetime.now(UTC) + timedelta(hours=9)
    hours = f"{now - timedelta(minutes=30):%H:%M}-{now + timedelta(minutes=30):%H:%M}"
    monkeypatch.setattr(guarding, "settings", lambda: replace(settings(), quiet_hours=hours))


# ---- the guard


def test_a_run_is_born_deciding_and_no_stage_works_for_it(make: Make) -> None:
    campaign = make(1)
    run = runs.begin(campaign.store, campaign.campaign_id, campaign.run.dag_id, "scheduled__1", test_send=False)
    assert run.state == "deciding"
    with pytest.raises(Refused, match="may not go"):
        runs.load_going(campaign.store, run.run_id)


@pytest.mark.parametrize("point", ["after_begin", "after_decision"])
def test_a_guard_killed_before_or_after_its_decision_lets_no_late_run_go(make: Make, point: str) -> None:
    campaign = make(1)
    late = datetime.now(UTC) - timedelta(hours=3)
    place = (campaign.databases.store_url, str(campaign.tenant_id), str(campaign.campaign_id), late.isoformat())
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_GUARD, *place],
        env=os.environ | {"BONGSU_CRASH": point, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert killed.returncode == -9
    for _ in range(2):
        run, decision = asks(campaign, "scheduled__late", run_after=late, run_type="backfill")
        assert isinstance(decision, Refusal)
        assert decision.reason == "backfill"
        assert run.state == "refused"


def test_decision_state_and_record_are_one(make: Make) -> None:
    campaign = make(1)
    before = audited(campaign, "run refused")
    run, _ = asks(campaign, "scheduled__1", run_after=datetime.now(UTC) - timedelta(days=1), run_type="scheduled")
    assert run.state == "refused"
    assert (run.refusal or "").startswith(("before_activation: ", "misfire: "))
    assert audited(campaign, "run refused") == before + 1


def test_what_a_person_overrode_is_kept_with_the_decision(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make(1)
    in_the_night(monkeypatch)
    refused, decision = asks(campaign, "manual__night", allow_overlap=True)
    assert isinstance(decision, Refusal)
    assert decision.reason == "quiet_hours"
    run, decision = asks(
        campaign, "manual__recall", override_quiet_hours=True, override_reason="recall", allow_overlap=True
    )
    assert isinstance(decision, Go)
    detail = campaign.value("SELECT detail FROM audit_log WHERE action = 'run started' ORDER BY audit_id DESC LIMIT 1")
    assert detail["overridden"] == ["override_quiet_hours", "allow_overlap"]
    assert detail["reason"] == "recall"
    assert ask_for_hold(campaign.store, run.run_id) is None
    assert refused.run_id != run.run_id


def test_a_test_send_with_the_run_id_of_another_run_is_a_run_of_its_own(make: Make) -> None:
    campaign = make(1)
    asked = Asked(run_after=datetime.now(UTC), test_send=True)
    test, decision = guard(campaign.store, campaign.campaign_id, "test_send", campaign.run.dag_run_id, asked)
    assert isinstance(decision, Refusal)
    assert decision.reason == "no_test_file"
    assert (test.test_send, test.run_id != campaign.run.run_id) == (True, True)


def test_a_run_that_went_goes_on_however_late_it_is_asked_again(make: Make) -> None:
    campaign = make(1)
    asked = {"run_after": datetime.now(UTC) - timedelta(days=2), "run_type": "scheduled"}
    run, decision = asks(campaign, campaign.run.dag_run_id, **asked)
    assert isinstance(decision, Go)
    assert run.run_id == campaign.run.run_id


def test_two_runs_of_a_campaign_under_way_are_refused_and_one_that_waits_for_receipts_is_none(make: Make) -> None:
    campaign = frozen(make(150))
    _, decision = asks(campaign, "manual__second")
    assert isinstance(decision, Refusal)
    assert decision.reason == "another_run"
    assert str(campaign.run.run_id) in decision.sentence
    runs.set_state(campaign.store, campaign.run.run_id, "sending")
    campaign.dispatch(1)
    assert isinstance(asks(campaign, "manual__third")[1], Refusal)
    campaign.dispatch(2)
    run, decision = asks(campaign, "manual__fourth")
    assert isinstance(decision, Go)
    assert isinstance(asks(campaign, "manual__fifth")[1], Refusal)
    assert isinstance(asks(campaign, "manual__sixth", allow_overlap=True)[1], Go)
    assert run.state == "started"


def test_of_two_guards_at_once_one_lets_its_run_go(make: Make) -> None:
    campaign = make(1)
    runs.set_state(campaign.store, campaign.run.run_id, "finished")
    ready, went = threading.Barrier(4), []

    def ask(number: int) -> None:
        with connect(campaign.databases.store_url, campaign.tenant_id) as store:
            ready.wait(30)
            asked = Asked(run_after=datetime.now(UTC))
            _, decision = guard(store, campaign.campaign_id, campaign.run.dag_id, f"manual__{number}", asked)
            went.append(isinstance(decision, Go))

    threads = [threading.Thread(target=ask, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(went) == [False, False, False, True]


# ---- holds


def test_the_kill_switch_stops_the_next_chunk_of_a_run_under_way(make: Make) -> None:
    campaign = frozen(make(250))
    campaign.dispatch(1)
    with campaign.databases.platform() as platform:
        platform.execute("INSERT INTO kill_switches (tenant_id, reason) VALUES (%s, 'complaint')", [campaign.tenant_id])
    with pytest.raises(OnHold, match="complaint"):
        campaign.dispatch(2)
    assert load_chunk(campaign.store, campaign.run, 2).state == "planned"
    assert len(campaign.line_rows()) == 100
    with campaign.databases.platform() as platform:
        platform.execute("DELETE FROM kill_switches WHERE tenant_id = %s", [campaign.tenant_id])
    assert campaign.dispatch(2) == Dispatched(100, 0, already=False)


def test_a_kill_switch_of_a_tenant_above_stops_it_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make(1)
    above = make_tenant(campaign.databases)
    below = make(100, tenant_id=make_tenant(campaign.databases, above))
    frozen(below)
    with campaign.databases.platform() as platform:
        platform.execute("INSERT INTO kill_switches (tenant_id, reason) VALUES (%s, 'unpaid')", [above])
    with pytest.raises(OnHold, match="unpaid"):
        below.dispatch(1)


@pytest.mark.parametrize("state", ["paused", "archived"])
def test_a_paused_campaign_stops_the_next_chunk(make: Make, state: str) -> None:
    campaign = frozen(make(150))
    campaign.dispatch(1)
    campaign.store.execute("UPDATE campaigns SET state = %s WHERE campaign_id = %s", [state, campaign.campaign_id])
    campaign.store.commit()
    with pytest.raises(OnHold, match=state):
        campaign.dispatch(2)
    assert len(campaign.line_rows()) == 100


def test_a_run_that_began_before_the_night_hands_over_in_the_morning(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = frozen(make(150))
    campaign.dispatch(1)
    in_the_night(monkeypatch)
    with pytest.raises(OnHold) as held:
        campaign.dispatch(2)
    assert held.value.hold.reason == "quiet_hours"
    assert held.value.hold.until is not None
    assert timedelta(0) < held.value.hold.until - datetime.now(UTC) < timedelta(hours=1)
    assert len(campaign.line_rows()) == 100
    monkeypatch.undo()
    assert campaign.dispatch(2) == Dispatched(50, 0, already=False)


def test_the_night_that_begins_while_a_chunk_waits_for_its_table_stops_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = frozen(make(100))
    asked: list[int] = []
    real = guarding.ask_for_hold

    def night_falls(store: psycopg.Connection, run_id: int) -> object:
        asked.append(run_id)
        if len(asked) == 2:
            in_the_night(monkeypatch)
        return real(store, run_id)

    monkeypatch.setattr("include.delivery.dispatch.ask_for_hold", night_falls)
    with pytest.raises(OnHold):
        campaign.dispatch(1)
    assert campaign.line_rows() == []
    monkeypatch.undo()
    assert campaign.dispatch(1) == Dispatched(100, 0, already=False)
    assert len(campaign.line_rows()) == 100


def test_after_the_last_day_nothing_leaves_any_more(make: Make) -> None:
    campaign = frozen(make(100))
    campaign.tamper(
        "UPDATE campaign_versions SET spec = jsonb_set(spec, '{schedule,valid_until}', '\"2026-01-01T00:00:00\"') "
        "WHERE campaign_id = %s",
        campaign.campaign_id,
    )
    with pytest.raises(Barred, match="bongsu cancel"):
        campaign.dispatch(1)
    assert campaign.line_rows() == []


def test_a_chunk_that_was_handed_over_is_accepted_whatever_holds_the_run(make: Make) -> None:
    campaign = frozen(make(100))
    campaign.dispatch(1)
    campaign.forget_acceptance()
    campaign.store.execute("UPDATE campaigns SET state = 'paused' WHERE campaign_id = %s", [campaign.campaign_id])
    campaign.store.commit()
    assert campaign.dispatch(1) == Dispatched(100, 0, already=True)


# ---- consent


@pytest.mark.parametrize(
    "lapse",
    [
        "UPDATE consents SET expires_at = now() - interval '1 s' WHERE tenant_id = %s AND phone_index = %s",
        "DELETE FROM consents WHERE tenant_id = %s AND phone_index = %s",
        "UPDATE consents SET granted = false WHERE tenant_id = %s AND phone_index = %s",
    ],
    ids=["expired", "deleted", "withdrawn"],
)
def test_a_recorded_consent_that_is_over_before_the_hand_over_counts_no_more(make: Make, lapse: str) -> None:
    rows = [(f"0107300{n:04d}", "김") for n in range(100)]
    campaign = make(rows, audience={"consent": "recorded"})
    with campaign.store.transaction():
        for number, _ in rows:
            campaign.store.execute(
                "INSERT INTO consents (tenant_id, phone_index, channel, purpose, granted, evidence, source) "
                "VALUES (%s, %s, 'sms', 'advertising', true, 'x', 'x')",
                [campaign.tenant_id, campaign.ring.blind_index(number)],
            )
    frozen(campaign)
    gone = campaign.ring.blind_index(rows[7][0])
    campaign.store.execute(lapse.encode(), [campaign.tenant_id, gone])
    campaign.store.commit()
    assert campaign.dispatch(1) == Dispatched(99, 1, already=False)
    assert rows[7][0] not in campaign.line_rows()

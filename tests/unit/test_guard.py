"""The guard: nothing goes out because of a time that has passed, at night, or against a person's will."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from include.campaigns.guard import (
    Go,
    GuardFacts,
    HoldFacts,
    Refusal,
    decide,
    decide_hold,
    end_of_quiet_hours,
    in_quiet_hours,
)

SEOUL = ZoneInfo("Asia/Seoul")
NINE = datetime(2026, 11, 24, 9, tzinfo=SEOUL)
DUE_AT_NINE = GuardFacts(
    now=NINE + timedelta(seconds=3),
    run_after=NINE,
    run_type="scheduled",
    activated_at=NINE - timedelta(days=1),
    state="live",
    purpose="advertising",
    timezone="Asia/Seoul",
    misfire_minutes=5,
    quiet_hours="21:00-08:00",
)


def reason(facts: GuardFacts) -> str:
    decision = decide(facts)
    return decision.reason if isinstance(decision, Refusal) else "go"


def manual(at: datetime, **changes: object) -> GuardFacts:
    return replace(DUE_AT_NINE, now=at, run_after=at, run_type="manual", **changes)  # type: ignore[arg-type]  # any field


def test_a_run_in_time_goes() -> None:
    assert decide(DUE_AT_NINE) == Go()


@pytest.mark.parametrize(
    ("late", "expected"),
    [(timedelta(minutes=5), "go"), (timedelta(minutes=5, seconds=1), "misfire"), (timedelta(days=10), "misfire")],
)
def test_a_scheduled_run_goes_only_close_to_its_time(late: timedelta, expected: str) -> None:
    assert reason(replace(DUE_AT_NINE, now=NINE + late)) == expected


def test_a_missed_tick_of_a_new_version_never_goes_however_close() -> None:
    activated = NINE + timedelta(minutes=1)
    facts = replace(DUE_AT_NINE, activated_at=activated, now=activated + timedelta(minutes=1))
    assert reason(facts) == "before_activation"


def test_a_manual_run_has_no_misfire() -> None:
    assert reason(replace(DUE_AT_NINE, run_type="manual", now=NINE + timedelta(hours=3))) == "go"


def test_a_run_made_by_an_asset_is_held_to_its_time() -> None:
    assert reason(replace(DUE_AT_NINE, run_type="asset_triggered", now=NINE + timedelta(hours=3))) == "misfire"


@pytest.mark.parametrize(("asked", "expected"), [(False, "backfill"), (True, "go")])
def test_a_backfill_sends_only_when_asked_for(asked: bool, expected: str) -> None:
    past = NINE - timedelta(days=30)
    facts = replace(DUE_AT_NINE, run_type="backfill", run_after=past, allow_backfill=asked)
    assert reason(facts) == expected


@pytest.mark.parametrize(("state", "expected"), [("paused", "paused"), ("archived", "archived")])
@pytest.mark.parametrize("run_type", ["manual", "scheduled", "backfill"])
def test_a_campaign_that_is_not_live_never_goes(state: str, expected: str, run_type: str) -> None:
    facts = replace(DUE_AT_NINE, state=state, run_type=run_type, allow_backfill=True, override_quiet_hours=True)
    assert reason(facts) == expected


def test_the_kill_switch_stops_everything_and_says_why() -> None:
    decision = decide(manual(NINE, kill_switch="a wrong price list", test_send=True))
    assert decision == Refusal("kill_switch", "All sending of the tenant is stopped: a wrong price list.")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 30, 23, 59, tzinfo=SEOUL), "not_yet_valid"),
        (datetime(2026, 12, 1, 0, 0, tzinfo=SEOUL), "go"),
        (datetime(2026, 12, 24, 23, 59, 59, tzinfo=SEOUL), "go"),
        (datetime(2026, 12, 25, 0, 0, tzinfo=SEOUL), "no_longer_valid"),
    ],
)
def test_the_window_is_one_of_the_campaigns_zone(now: datetime, expected: str) -> None:
    facts = manual(
        now.astimezone(UTC),
        purpose="informational",
        valid_from=datetime(2026, 12, 1),
        valid_until=datetime(2026, 12, 24, 23, 59, 59),
    )
    assert reason(facts) == expected


@pytest.mark.parametrize(
    ("clock", "quiet"),
    [("20:59", False), ("21:00", True), ("23:59", True), ("00:00", True), ("07:59", True), ("08:00", False)],
)
def test_quiet_hours_over_midnight(clock: str, quiet: bool) -> None:
    hour, minute = map(int, clock.split(":"))
    now = datetime(2026, 11, 24, hour, minute, tzinfo=SEOUL).astimezone(UTC)
    assert reason(manual(now)) == ("quiet_hours" if quiet else "go")


@pytest.mark.parametrize(("clock", "quiet"), [(11, False), (12, True), (13, True), (14, False)])
def test_quiet_hours_within_a_day(clock: int, quiet: bool) -> None:
    assert in_quiet_hours(datetime(2026, 11, 24, clock, tzinfo=SEOUL), "12:00-14:00") is quiet


def test_quiet_hours_are_those_of_the_recipient_not_of_the_tenant() -> None:
    night_in_seoul = datetime(2026, 12, 1, 3, tzinfo=SEOUL)
    assert reason(manual(night_in_seoul, timezone="America/New_York")) == "quiet_hours"
    day_in_seoul = datetime(2026, 12, 1, 14, tzinfo=SEOUL)  # midnight in New York
    assert reason(manual(day_in_seoul, timezone="America/New_York")) == "go"


@pytest.mark.parametrize(("clock", "day"), [("21:00", 25), ("23:59", 25), ("00:00", 24), ("07:59", 24)])
def test_quiet_hours_end_in_the_next_morning(clock: str, day: int) -> None:
    hour, minute = map(int, clock.split(":"))
    now = datetime(2026, 11, 24, hour, minute, tzinfo=SEOUL).astimezone(UTC)
    assert end_of_quiet_hours(now, "21:00-08:00") == datetime(2026, 11, day, 8, tzinfo=SEOUL)


@pytest.mark.parametrize("purpose", ["informational", "authentication"])
def test_only_advertising_has_quiet_hours(purpose: str) -> None:
    assert reason(manual(NINE.replace(hour=3), purpose=purpose)) == "go"


def test_quiet_hours_can_be_off() -> None:
    assert reason(manual(NINE.replace(hour=3), quiet_hours="off")) == "go"


def test_a_test_send_has_no_quiet_hours() -> None:
    assert reason(manual(NINE.replace(hour=3), test_send=True, has_test_file=True)) == "go"


def test_a_test_send_needs_people_of_its_own() -> None:
    assert reason(manual(NINE, test_send=True)) == "no_test_file"


@pytest.mark.parametrize("why", ["", "   ", ".", "-!", "a", "가."])
def test_quiet_hours_are_not_overridden_without_a_reason(why: str) -> None:
    facts = manual(NINE.replace(hour=3), override_quiet_hours=True, override_reason=why)
    assert reason(facts) == "quiet_hours"
    assert facts.night_reason is None


def test_a_reason_overrides_quiet_hours_and_is_told() -> None:
    facts = manual(NINE.replace(hour=3), override_quiet_hours=True, override_reason="recall of a product")
    decision = decide(facts)
    assert isinstance(decision, Go)
    assert "recall of a product" in decision.note


def test_the_strongest_reason_is_the_one_given() -> None:
    facts = replace(
        DUE_AT_NINE, kill_switch="x", state="archived", now=NINE + timedelta(days=1), valid_until=datetime(2020, 1, 1)
    )
    assert reason(facts) == "kill_switch"
    assert reason(replace(facts, kill_switch=None)) == "archived"
    assert reason(replace(facts, kill_switch=None, state="live")) == "misfire"


def test_two_runs_of_a_campaign_at_once_are_refused_unless_asked_for() -> None:
    beside = manual(NINE, under_way=12)
    decision = decide(beside)
    assert isinstance(decision, Refusal)
    assert decision.reason == "another_run"
    assert "bongsu cancel 12" in decision.sentence
    assert reason(replace(beside, allow_overlap=True)) == "go"


GOING = HoldFacts(
    now=NINE,
    is_cancelled=False,
    state="live",
    purpose="advertising",
    timezone="Asia/Seoul",
    quiet_hours="21:00-08:00",
)


def held(**changes: object) -> str:
    hold = decide_hold(replace(GOING, **changes))  # type: ignore[arg-type]  # any field
    return hold.reason if hold else "go"


def test_what_people_stop_holds_the_next_chunk() -> None:
    assert held() == "go"
    assert held(kill_switch="complaint") == "kill_switch"
    assert held(state="paused") == "paused"
    assert held(state="archived") == "archived"


def test_the_night_holds_the_next_chunk_until_the_morning() -> None:
    night = NINE.replace(hour=21)
    hold = decide_hold(replace(GOING, now=night))
    assert hold is not None
    assert (hold.reason, hold.until) == ("quiet_hours", NINE + timedelta(hours=23))
    assert held(now=night, purpose="informational") == "go"
    assert held(now=night, test_send=True) == "go"
    assert held(now=night, night_reason="recall of a product") == "go"


def test_after_the_campaigns_last_day_a_chunk_never_leaves() -> None:
    hold = decide_hold(replace(GOING, valid_until=NINE - timedelta(seconds=1)))
    assert hold is not None
    assert hold.for_good


def test_a_cancelled_run_is_not_held_so_that_its_chunks_say_so() -> None:
    assert held(is_cancelled=True, kill_switch="x", state="paused") == "cancelled"

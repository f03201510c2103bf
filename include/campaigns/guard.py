"""Whether a run may go: the decision every run starts with, made of facts alone.

A scheduler fires missed times: a DAG that is created, edited, unpaused or comes back after an outage
starts the run it believes is due. Nothing may go out because of that, so a scheduled run goes only close
to its time.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from include.campaigns.times import aware

OFF = "off"
BULK_SENDING = "advertising"


@dataclass(frozen=True, kw_only=True)
class GuardFacts:
    """What the decision is made of.

    :param now: this moment, with a time zone.
    :param run_after: when the run was due; equal to its start for one that a person started.
    :param run_type: Airflow's word: ``scheduled``, ``manual``, ``backfill`` or ``asset_triggered``.
    :param activated_at: when the version in force was applied.
    :param state: the campaign's state: ``live``, ``paused`` or ``archived``.
    :param purpose: the campaign's purpose.
    :param timezone: the tenant's time zone.
    :param misfire_minutes: how late a run that a schedule started may be.
    :param quiet_hours: ``HH:MM-HH:MM`` in ``timezone``, or ``off``.
    :param valid_from, valid_until: the campaign's window; a time without an offset is one in ``timezone``.
    :param test_send: it goes to the test line, and only to the people of the campaign's test file.
    :param has_test_file: the campaign names such a file.
    :param allow_backfill: a person has asked for a run in the past.
    :param override_quiet_hours: a person has asked to send in quiet hours ...
    :param override_reason: ... for this reason.
    :param kill_switch: why all sending of the tenant is stopped, or ``None``.
    """

    now: datetime
    run_after: datetime
    run_type: str
    activated_at: datetime
    state: str
    purpose: str
    timezone: str
    misfire_minutes: int
    quiet_hours: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    test_send: bool = False
    has_test_file: bool = False
    allow_backfill: bool = False
    override_quiet_hours: bool = False
    override_reason: str = ""
    kill_switch: str | None = None


@dataclass(frozen=True)
class Go:
    """The run may go; ``note`` says so for the log, with what was overridden and why."""

    note: str = "The run may go."


@dataclass(frozen=True)
class Stop:
    """The run may not go: ``reason`` is a short name for reports, ``sentence`` is for a person."""

    reason: str
    sentence: str


def decide(facts: GuardFacts) -> Go | Stop:
    """Whether the run of these facts may go. The strongest reason against it is the one given."""
    return (
        _stopped_by_people(facts)
        or _stopped_by_its_time(facts)
        or _outside_its_window(facts)
        or _without_test_people(facts)
        or _in_quiet_hours(facts)
        or _go(facts)
    )


def in_quiet_hours(moment: datetime, hours: str, zone: str) -> bool:
    """Whether ``moment`` is in ``hours`` (``21:00-08:00``; the end is outside) by the clocks of ``zone``."""
    if hours.strip().lower() == OFF:
        return False
    start, end = (time.fromisoformat(part.strip()) for part in hours.split("-"))
    clock = moment.astimezone(ZoneInfo(zone)).time()
    if start <= end:
        return start <= clock < end
    return clock >= start or clock < end


def _stopped_by_people(facts: GuardFacts) -> Stop | None:
    if facts.kill_switch is not None:
        return Stop("kill_switch", f"All sending of the tenant is stopped: {facts.kill_switch}.")
    if facts.state == "archived":
        return Stop("archived", "The campaign is archived.")
    if facts.state != "live":
        return Stop(facts.state, f"The campaign is {facts.state}. Resume it first.")
    return None


def _stopped_by_its_time(facts: GuardFacts) -> Stop | None:
    if facts.run_type == "manual":
        return None
    due = _shown(facts.run_after, facts)
    if facts.run_type == "backfill":
        if facts.allow_backfill:
            return None
        return Stop(
            "backfill",
            f"A backfill would send what was due {due} now. If that is meant, start it with allow_backfill.",
        )
    if facts.run_after < facts.activated_at:
        return Stop(
            "before_activation",
            f"The run was due {due}; this version came into force only {_shown(facts.activated_at, facts)}.",
        )
    late = facts.now - facts.run_after
    if late > timedelta(minutes=facts.misfire_minutes):
        return Stop(
            "misfire",
            f"The run was due {due} and is {_minutes(late)} late, at most {facts.misfire_minutes} are allowed. "
            "Start it by hand if it should still go out.",
        )
    return None


def _outside_its_window(facts: GuardFacts) -> Stop | None:
    first, last = aware(facts.valid_from, facts.timezone), aware(facts.valid_until, facts.timezone)
    if first is not None and facts.now < first:
        return Stop("not_yet_valid", f"The campaign is valid only from {_shown(first, facts)}.")
    if last is not None and facts.now > last:
        return Stop("no_longer_valid", f"The campaign was valid only until {_shown(last, facts)}.")
    return None


def _without_test_people(facts: GuardFacts) -> Stop | None:
    if facts.test_send and not facts.has_test_file:
        return Stop(
            "no_test_file",
            "A test send never goes to the customers. Name a file of your own people in audience.test_file.",
        )
    return None


def _in_quiet_hours(facts: GuardFacts) -> Stop | None:
    if not _is_quiet(facts):
        return None
    if not facts.override_quiet_hours:
        return Stop(
            "quiet_hours",
            f"It is {_shown(facts.now, facts)}: no advertising goes out during {facts.quiet_hours}. "
            "Start it again after that.",
        )
    if not facts.override_reason.strip():
        return Stop("quiet_hours", "The quiet hours were overridden without a reason. Give one.")
    return None


def _is_quiet(facts: GuardFacts) -> bool:
    concerned = facts.purpose == BULK_SENDING and not facts.test_send
    return concerned and in_quiet_hours(facts.now, facts.quiet_hours, facts.timezone)


def _go(facts: GuardFacts) -> Go:
    if _is_quiet(facts):
        return Go(f"The run may go, in quiet hours because: {facts.override_reason.strip()}")
    return Go()


def _shown(moment: datetime, facts: GuardFacts) -> str:
    return moment.astimezone(ZoneInfo(facts.timezone)).strftime("%Y-%m-%d %H:%M %Z")


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes:,} minutes" if minutes < 120 else f"{minutes // 60:,} hours"

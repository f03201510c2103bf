"""Whether a run may go: the decision every run starts with, made of facts alone.

A scheduler fires missed times: a DAG that is created, edited, unpaused or comes back after an outage
starts the run it believes is due. Nothing may go out because of that, so a scheduled run goes only close
to its time.

What is asked again before every chunk of a run that went is decided here, too (:func:`decide_hold`): a run that was let
go at ten to nine in the evening must not go on at ten past.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from include.campaigns.times import aware

OFF = "off"
CANCELLED = "cancelled"
BULK_SENDING = "advertising"
RECIPIENTS_ZONE = "Asia/Seoul"
"""The recipient sleeps by their own clock, wherever the tenant is: all numbers that are accepted are Korean (+82)."""


@dataclass(frozen=True, kw_only=True)
class GuardFacts:
    """What the decision is made of.

    :param now: this moment, with a time zone.
    :param run_after: when the run was due; equal to its start for one that a person started.
    :param run_type: Airflow's word: ``scheduled``, ``manual``, ``backfill`` or ``asset_triggered``.
    :param activated_at: when the version in force was applied.
    :param state: the campaign's state: ``live``, ``paused`` or ``archived``.
    :param purpose: the campaign's purpose.
    :param timezone: the tenant's time zone, in which moments are shown.
    :param misfire_minutes: how late a run that a schedule started may be.
    :param quiet_hours: ``HH:MM-HH:MM`` by the recipients' clock, or ``off``.
    :param valid_from, valid_until: the campaign's window; a time without an offset is one in ``timezone``.
    :param test_send: it goes to the test line, and only to the people of the campaign's test file.
    :param has_test_file: the campaign names such a file.
    :param allow_backfill: a person has asked for a run in the past.
    :param override_quiet_hours: a person has asked to send in quiet hours ...
    :param override_reason: ... for this reason.
    :param under_way: number of another run of the campaign that may still hand something over, or ``None``.
    :param allow_overlap: a person has asked to send all the same.
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
    under_way: int | None = None
    allow_overlap: bool = False
    kill_switch: str | None = None

    @property
    def night_reason(self) -> str | None:
        """Why the run may hand over in quiet hours, when a person has said so."""
        asked = self.override_quiet_hours and not self.test_send
        return self.override_reason.strip() if asked and says_something(self.override_reason) else None

    @property
    def overridden(self) -> list[str]:
        """The rules that a person asked to be passed over."""
        names = ("allow_backfill", "override_quiet_hours", "allow_overlap")
        return [name for name in names if getattr(self, name) and not self.test_send]


@dataclass(frozen=True)
class Go:
    """The run may go; ``note`` says so for the log, with what was overridden and why."""

    note: str = "The run may go."


@dataclass(frozen=True)
class Refusal:
    """The run may not go: ``reason`` is a short name for reports, ``sentence`` is for a person."""

    reason: str
    sentence: str


def decide(facts: GuardFacts) -> Go | Refusal:
    """Whether the run of these facts may go. The strongest reason against it is the one given."""
    return (
        _stopped_by_people(facts)
        or _stopped_by_its_time(facts)
        or _outside_its_window(facts)
        or _without_test_people(facts)
        or _beside_another_run(facts)
        or _in_quiet_hours(facts)
        or _go(facts)
    )


def in_quiet_hours(moment: datetime, hours: str) -> bool:
    """Whether ``moment`` is in ``hours`` (``21:00-08:00``; the end is outside) by the recipients' clock."""
    if hours.strip().lower() == OFF:
        return False
    start, end = _bounds(hours)
    clock = moment.astimezone(ZoneInfo(RECIPIENTS_ZONE)).time()
    if start <= end:
        return start <= clock < end
    return clock >= start or clock < end


def end_of_quiet_hours(moment: datetime, hours: str) -> datetime:
    """When the quiet hours that ``moment`` is in are over."""
    end = _bounds(hours)[1]
    local = moment.astimezone(ZoneInfo(RECIPIENTS_ZONE))
    closes = local.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    return closes if closes > local else closes + timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class HoldFacts:
    """What can hold the next chunk of a run that went back, or keep it for good, as it is at this moment.

    :param is_cancelled: a person has cancelled the run.
    :param night_reason: why a person lets the run hand over in quiet hours, or ``None``.

    The others are those of :class:`GuardFacts`.
    """

    now: datetime
    is_cancelled: bool
    state: str
    purpose: str
    timezone: str
    quiet_hours: str
    valid_until: datetime | None = None
    test_send: bool = False
    night_reason: str | None = None
    kill_switch: str | None = None


@dataclass(frozen=True)
class Hold:
    """Nothing goes out just now.

    :param reason: a short name; :data:`CANCELLED` when there is nothing to wait for.
    :param sentence: for a person.
    :param until: when it ends by itself; ``None``: when somebody ends it.
    :param for_good: it never ends: what has not left will not leave.
    """

    reason: str
    sentence: str
    until: datetime | None = None
    for_good: bool = False


def decide_hold(facts: HoldFacts) -> Hold | None:
    """What holds the next chunk back, if anything does; that the run was cancelled goes before all else."""
    if facts.is_cancelled:
        return Hold(CANCELLED, "The run was cancelled.", for_good=True)
    if facts.kill_switch is not None:
        return Hold("kill_switch", f"All sending of the tenant is stopped: {facts.kill_switch}.")
    if facts.state != "live":
        return Hold(facts.state, f"The campaign is {facts.state}. It goes on after: bongsu state SLUG live.")
    if facts.valid_until is not None and facts.now > facts.valid_until:
        shown = facts.valid_until.astimezone(ZoneInfo(facts.timezone))
        sentence = f"The campaign was valid only until {shown:%Y-%m-%d %H:%M %Z}."
        return Hold("no_longer_valid", sentence, for_good=True)
    concerned = facts.purpose == BULK_SENDING and not facts.test_send and facts.night_reason is None
    if concerned and in_quiet_hours(facts.now, facts.quiet_hours):
        until = end_of_quiet_hours(facts.now, facts.quiet_hours)
        return Hold("quiet_hours", f"No advertising goes out during {facts.quiet_hours}.", until)
    return None


def _bounds(hours: str) -> tuple[time, time]:
    start, end = (time.fromisoformat(part.strip()) for part in hours.split("-"))
    return start, end


def _stopped_by_people(facts: GuardFacts) -> Refusal | None:
    if facts.kill_switch is not None:
        return Refusal("kill_switch", f"All sending of the tenant is stopped: {facts.kill_switch}.")
    if facts.state == "archived":
        return Refusal("archived", "The campaign is archived.")
    if facts.state != "live":
        return Refusal(facts.state, f"The campaign is {facts.state}. Make it live first: bongsu state SLUG live.")
    return None


def _stopped_by_its_time(facts: GuardFacts) -> Refusal | None:
    if facts.run_type == "manual":
        return None
    due = _shown(facts.run_after, facts)
    if facts.run_type == "backfill":
        if facts.allow_backfill:
            return None
        return Refusal(
            "backfill",
            f"A backfill would send what was due {due} now. If that is meant, start it with allow_backfill.",
        )
    if facts.run_after < facts.activated_at:
        return Refusal(
            "before_activation",
            f"The run was due {due}; this version came into force only {_shown(facts.activated_at, facts)}.",
        )
    late = facts.now - facts.run_after
    if late > timedelta(minutes=facts.misfire_minutes):
        return Refusal(
            "misfire",
            f"The run was due {due} and is {_minutes(late)} late, at most {facts.misfire_minutes} are allowed. "
            "Start it by hand if it should still go out.",
        )
    return None


def _outside_its_window(facts: GuardFacts) -> Refusal | None:
    first, last = aware(facts.valid_from, facts.timezone), aware(facts.valid_until, facts.timezone)
    if first is not None and facts.now < first:
        return Refusal("not_yet_valid", f"The campaign is valid only from {_shown(first, facts)}.")
    if last is not None and facts.now > last:
        return Refusal("no_longer_valid", f"The campaign was valid only until {_shown(last, facts)}.")
    return None


def _without_test_people(facts: GuardFacts) -> Refusal | None:
    if facts.test_send and not facts.has_test_file:
        return Refusal(
            "no_test_file",
            "A test send never goes to the customers. Name a file of your own people in audience.test_file.",
        )
    return None


def _beside_another_run(facts: GuardFacts) -> Refusal | None:
    if facts.under_way is None or facts.allow_overlap:
        return None
    return Refusal(
        "another_run",
        f"Run {facts.under_way} of this campaign is under way, and its people would be written to twice. Wait for it, "
        f"cancel it with: bongsu cancel {facts.under_way}, or start this one with allow_overlap if both are meant.",
    )


def _in_quiet_hours(facts: GuardFacts) -> Refusal | None:
    if not _is_quiet(facts):
        return None
    if not facts.override_quiet_hours:
        return Refusal(
            "quiet_hours",
            f"It is {_clock(facts.now)} for the recipients: no advertising goes out during {facts.quiet_hours}. "
            "Start it again after that.",
        )
    if not says_something(facts.override_reason):
        return Refusal("quiet_hours", "The quiet hours were overridden without a reason. Give one.")
    return None


def says_something(reason: str) -> bool:
    """Whether a reason has at least two letters or digits: a dot that fills the field is none."""
    return sum(map(str.isalnum, reason)) > 1


def _is_quiet(facts: GuardFacts) -> bool:
    concerned = facts.purpose == BULK_SENDING and not facts.test_send
    return concerned and in_quiet_hours(facts.now, facts.quiet_hours)


def _go(facts: GuardFacts) -> Go:
    if _is_quiet(facts):
        return Go(f"The run may go, in quiet hours because: {facts.override_reason.strip()}")
    return Go()


def _shown(moment: datetime, facts: GuardFacts) -> str:
    return moment.astimezone(ZoneInfo(facts.timezone)).strftime("%Y-%m-%d %H:%M %Z")


def _clock(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(RECIPIENTS_ZONE)).strftime("%Y-%m-%d %H:%M %Z")


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes:,} minutes" if minutes < 120 else f"{minutes // 60:,} hours"

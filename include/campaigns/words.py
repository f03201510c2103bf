"""A campaign in plain words: what its DAG's page tells the person who is about to start it.

The page is Markdown. What people wrote is shown as they wrote it and can be nothing else: no picture that every
reader's browser fetches, no paragraph that speaks for the page.
"""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from include.campaigns.spec import CampaignSpec, Schedule

DAY_NAMES = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}
TRIGGER = "**Trigger** (트리거)"
"""The button as Airflow's own English and Korean name it."""
REPORT = (
    "**The report** is the log of `aggregate_results`, the last task of a run. A run that sent nothing is red, and its "
    "note (메모) says why."
)
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def describe(spec: CampaignSpec, *, version: int, tenant_title: str, zone: str, lines: list[int]) -> str:
    """Markdown that says what is sent to whom, when, from which number and over which lines."""
    message = spec.message
    kind = "SMS, or LMS where the text needs more than 90 bytes" if message.allow_lms else "SMS"
    # an indented block shows any text as it is
    text = "\n".join(f"    {line}" for line in message.text.splitlines())
    subject = f"Subject of a long message: {_plain(message.subject)}\n\n" if message.subject else ""
    size = spec.delivery.chunk_size
    chunks = f"{size:,} messages a chunk" if size else "In chunks that fit the audience"
    return (
        f"### {_plain(spec.title)}\n\n"
        f"{_plain(tenant_title)} sends this {spec.purpose} message ({kind}) from {message.sender}:\n\n"
        f"{text}\n\n"
        f"{subject}"
        f"{_what_to_press(spec)}\n\n"
        f"**When** {when(spec.schedule, zone)}{_while_on(spec.schedule)}\n\n"
        f"**To** everybody in {_name(spec.audience.file)}, once a number. {consent(spec)}\n\n"
        f"{REPORT}\n\n"
        f"**How** {chunks}, over line {', '.join(map(str, lines))}; "
        f"receipts are waited for up to {spec.delivery.receipt_hours} hours.\n\n"
        f"Version {version} of `{spec.tenant}/{spec.slug}`. A change never changes a run under way."
    )


def _what_to_press(spec: CampaignSpec) -> str:
    """How a person tries it and sends it."""
    also = "lets the schedule run, too" if _has_times(spec.schedule) else "switches it on; without it the run waits"
    send = f"**To send it** press {TRIGGER} at the top. The ticked box there {also}."
    if spec.audience.test_file is None:
        return send
    return (
        "**To try it** open **Test send · 테스트 발송** in the list, press "
        f"{TRIGGER}, choose `{spec.tenant}/{spec.slug}`: only {_name(spec.audience.test_file)} gets it.\n\n{send}"
    )


def _while_on(schedule: Schedule) -> str:
    return " Only while its switch in the list is on." if _has_times(schedule) else ""


def _has_times(schedule: Schedule) -> bool:
    return bool(schedule.at or schedule.daily or schedule.weekly or schedule.cron)


def consent(spec: CampaignSpec) -> str:
    """Who of the file is written to, in a sentence."""
    if spec.purpose != "advertising":
        return f"No consent is needed, for it is {spec.purpose}; who is on the suppression list is left out."
    needed = []
    if "consent" in spec.audience.columns:
        needed.append(f"a clear yes in the column {_plain(spec.audience.columns['consent'])}")
    if spec.audience.consent == "recorded":
        needed.append("a consent recorded in the campaign store")
    said = "The tenant vouches for the consent of everybody in the file"
    if needed:
        said = f"Only people with {' and '.join(needed)} are written to"
    return f"{said}; who has refused, or is on the suppression list, is left out."


def when(schedule: Schedule, tenant_zone: str) -> str:
    """The schedule as a sentence or two."""
    zone = schedule.timezone or tenant_zone
    if schedule.at is not None:
        said = f"Once, {_moment(schedule.at, zone)}."
    elif schedule.daily is not None:
        said = f"Every day at {schedule.daily} ({zone})."
    elif schedule.weekly is not None:
        days = ", ".join(DAY_NAMES[day] for day in schedule.weekly.days)
        said = f"Every {days} at {schedule.weekly.at} ({zone})."
    elif schedule.cron is not None:
        said = f"By the cron expression `{schedule.cron}` ({zone})."
    else:
        said = "When a person starts it."
    if schedule.valid_from is not None:
        said += f" Not before {_moment(schedule.valid_from, zone)}."
    if schedule.valid_until is not None:
        said += f" Not after {_moment(schedule.valid_until, zone)}."
    return said


def _moment(value: datetime, zone: str) -> str:
    known = value if value.tzinfo is None else value.astimezone(ZoneInfo(zone))
    return f"{known:%Y-%m-%d %H:%M} ({zone})"


def _plain(text: str) -> str:
    """Markdown that shows ``text`` as it is, on one line: a backslash takes its meaning from any ASCII punctuation."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return _PUNCTUATION.sub(r"\\\g<0>", line)


def _name(file: str) -> str:
    """A file's name. Where it lies is the business of the machine's keeper, not of everybody who reads the page."""
    return _plain(Path(file).name)

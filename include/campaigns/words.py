"""A campaign in plain words: what its DAG's page tells the person who is about to start it."""

from datetime import datetime
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
CONSENT = {
    "file": "The tenant vouches for the consent of everybody in the file; recorded refusals are left out.",
    "recorded": "Only people whose consent is recorded are written to.",
}


def describe(spec: CampaignSpec, *, version: int, tenant_title: str, zone: str, lines: list[int]) -> str:
    """Markdown that says what is sent to whom, when, from which number and over which lines."""
    message = spec.message
    kind = "SMS, or LMS where the text needs more than 90 bytes" if message.allow_lms else "SMS"
    # an indented block shows any text as it is
    text = "\n".join(f"    {line}" for line in message.text.splitlines())
    subject = f"Subject of a long message: {message.subject}\n\n" if message.subject else ""
    size = spec.delivery.chunk_size
    chunks = f"{size:,} messages a chunk" if size else "In chunks that fit the audience"
    tests = f"**A test send** goes to `{spec.audience.test_file}` only.\n\n" if spec.audience.test_file else ""
    return (
        f"### {spec.title}\n\n"
        f"{tenant_title} sends this {spec.purpose} message ({kind}) from {message.sender}:\n\n"
        f"{text}\n\n"
        f"{subject}"
        f"**To** everybody in `{spec.audience.file}`, once a number. {CONSENT[spec.audience.consent]}\n\n"
        f"{tests}"
        f"**When** {when(spec.schedule, zone)}\n\n"
        f"**How** {chunks}, over line {', '.join(map(str, lines))}; "
        f"receipts are waited for up to {spec.delivery.receipt_hours} hours.\n\n"
        f"Version {version} of `{spec.tenant}/{spec.slug}`. A change never changes a run under way."
    )


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

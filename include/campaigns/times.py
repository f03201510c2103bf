"""Moments, clocks and time zones as a definition writes them."""

import re
from collections.abc import Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter

from include.campaigns.mistakes import mistake, shown

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DATE_ONLY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Stands for the tenant's zone where a definition names none and the store is not at hand.
USUAL_ZONE = "Asia/Seoul"
# Every moment of these years can be shown in every time zone; the first and the last that Python knows cannot.
FIRST_YEAR, LAST_YEAR = 1970, 9998
CRON_FIELDS = ("minute", "hour", "day", "month", "weekday")
# A cron field that begins so stands for a drawn number, another at each parse; no day or month is called so.
DRAWN = "hHrR"
CRON_FIX = 'Write five fields: minute hour day month weekday, such as "0 9 * * 1" for Mondays at 09:00.'


def zone(name: str) -> ZoneInfo:
    """The time zone ``name``.

    :raises pydantic_core.PydanticCustomError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise mistake(
            f"{shown(name)} is not a time zone", "Write an IANA name such as Asia/Seoul or Europe/Berlin."
        ) from None


def check_zone(value: Any) -> Any:
    """Refuse what is not the name of a time zone."""
    if isinstance(value, str):
        zone(value)
    return value


def moment(value: Any) -> Any:
    """The moment that is written. Numbers are refused, which would silently be read as seconds since 1970, and so
    are years that cannot be shown in every time zone.
    """
    if value is None:
        return None
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise mistake(
            f"{shown(value)} is not a moment", "Write it like 2026-12-24T09:00 or 2026-12-24T09:00+09:00."
        ) from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise mistake(
            f"{shown(value)} is outside the years {FIRST_YEAR} to {LAST_YEAR}",
            "Write a year in between, or leave the field out when there is no such limit.",
        )
    return found


def end_of_day(value: Any) -> Any:
    """Like :func:`moment`; a date alone means its last second."""
    result = moment(value)
    if isinstance(value, str) and DATE_ONLY.fullmatch(value.strip()):
        return datetime.combine(result, time(23, 59, 59))
    return result


def check_cron(value: Any) -> Any:
    """Refuse what is not a five-field cron expression with a next date, the same at every reading, and at most once
    an hour: every start is a send to the whole file.
    """
    if not isinstance(value, str):
        return value
    written = value.split()
    if len(written) != len(CRON_FIELDS):
        raise mistake(f"{shown(value)} has {len(written)} fields instead of {len(CRON_FIELDS)}", CRON_FIX)
    drawn = any(field[0] in DRAWN for field in written)
    starts = None if drawn else _starts(written)
    if starts is None:
        raise mistake(f"{shown(value)} is not a cron expression: {_why(written)}", CRON_FIX)
    if starts != 1:
        raise mistake(
            f"{shown(value)} starts {starts} times in an hour, and every start sends to the whole file",
            'Name one minute, such as "0 * * * *": once an hour is the most.',
        )
    return " ".join(written)


def _starts(fields: Sequence[str]) -> int | None:
    """How often a cron expression is due in an hour in which it is due; ``None`` when it never is."""
    try:
        cron = croniter(" ".join(fields), datetime(2024, 1, 1))
        cron.get_next()
    except Exception:  # the library raises many kinds for what it cannot read
        return None
    minutes = cron.expanded[0]
    return 60 if minutes == ["*"] else len(minutes)


def _why(fields: Sequence[str]) -> str:
    for place, (name, field) in enumerate(zip(CRON_FIELDS, fields, strict=True)):
        alone = ["*"] * len(CRON_FIELDS)
        alone[place] = field
        if field[0] in DRAWN or _starts(alone) is None:
            return f"{shown(field)} is no {name}"
    return "there is no such date"


def aware(value: datetime | None, zone_name: str) -> datetime | None:
    """``value`` as a moment: a time without an offset is one in the zone ``zone_name``."""
    if value is None or value.tzinfo is not None:
        return value
    return value.replace(tzinfo=ZoneInfo(zone_name))

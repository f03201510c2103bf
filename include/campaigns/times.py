"""Moments, clocks and time zones as a definition writes them."""

import re
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter

from include.campaigns.mistakes import mistake

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DATE_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}")
CRON_FIELDS = 5


def zone(name: str) -> ZoneInfo:
    """The time zone ``name``.

    :raises pydantic_core.PydanticCustomError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise mistake(
            f"{name!r} is not a time zone", "Write an IANA name such as Asia/Seoul or Europe/Berlin."
        ) from None


def check_zone(value: Any) -> Any:
    """Refuse what is not the name of a time zone."""
    if isinstance(value, str):
        zone(value)
    return value


def moment(value: Any) -> Any:
    """Refuse numbers, which would silently be read as seconds since 1970, and text that is no moment."""
    if isinstance(value, datetime) or value is None:
        return value
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise mistake(
            f"{value!r} is not a moment", "Write it like 2026-12-24T09:00 or 2026-12-24T09:00+09:00."
        ) from None


def end_of_day(value: Any) -> Any:
    """Like :func:`moment`; a date alone means its last second."""
    result = moment(value)
    if isinstance(value, str) and DATE_ONLY.fullmatch(value.strip()):
        return datetime.combine(result, time(23, 59, 59))
    return result


def check_cron(value: Any) -> Any:
    """Refuse what is not a five-field cron expression with a next date."""
    if not isinstance(value, str):
        return value
    fix = 'Write five fields: minute hour day month weekday, such as "0 9 * * 1" for Mondays at 09:00.'
    if len(value.split()) != CRON_FIELDS:
        raise mistake(f"{value!r} has {len(value.split())} fields instead of {CRON_FIELDS}", fix)
    try:
        croniter(value, datetime(2024, 1, 1)).get_next()
    except (CroniterError, ValueError, KeyError) as error:
        raise mistake(f"{value!r} is not a cron expression ({error})", fix) from None
    return " ".join(value.split())


def aware(value: datetime | None, zone_name: str) -> datetime | None:
    """``value`` as a moment: a time without an offset is one in the zone ``zone_name``."""
    if value is None or value.tzinfo is not None:
        return value
    return value.replace(tzinfo=ZoneInfo(zone_name))

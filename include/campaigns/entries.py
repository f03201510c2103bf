"""From the campaigns in the store to the entries of the manifests."""

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic import ValidationError

from include.campaigns.manifest import STORE_SOURCE, DefinitionError, Entry
from include.campaigns.spec import CampaignSpec, Schedule
from include.campaigns.times import DAYS, aware
from include.campaigns.words import describe
from include.queries import query
from include.settings import settings
from include.taxonomy import RETRIES

PRIORITY = {"authentication": 30, "informational": 20, "advertising": 10}


def read_entries(
    platform: psycopg.Connection, last_good: dict[str, Entry], *, now: datetime | None = None
) -> tuple[dict[int, list[Entry]], list[DefinitionError]]:
    """All campaigns that have a DAG, by shard, and what is wrong with those that cannot be used.

    :param platform: a connection of the platform role.
    :param last_good: the entries of the last compile by DAG id; a campaign that cannot be used keeps its own.
    """
    by_shard: dict[int, list[Entry]] = {}
    wrong: list[DefinitionError] = []
    with platform.transaction(), platform.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("campaigns/for_manifests"), {"now": now or datetime.now(UTC)}).fetchall()
    for row in rows:
        try:
            entry: Entry | None = make_entry(row)
        except ValueError as error:
            wrong.append(_error(row, error))
            entry = last_good.get(row["dag_id"])
        if entry is not None:
            by_shard.setdefault(row["shard"], []).append(entry)
    return by_shard, wrong


def make_entry(row: dict[str, Any]) -> Entry:
    """The entry of one row of ``campaigns/for_manifests``.

    :raises ValueError: the stored definition cannot be used; pydantic's errors are of this kind.
    """
    spec = CampaignSpec.model_validate(row["spec"])
    if not row["lines"]:
        raise ValueError(f"tenant {row['tenant']} has no line: give it a line group that has one")
    zone = spec.schedule.timezone or row["timezone"]
    return Entry(
        dag_id=row["dag_id"],
        campaign_id=row["campaign_id"],
        version=row["version"],
        tenant_id=row["tenant_id"],
        tenant=row["tenant"],
        slug=row["slug"],
        title=spec.title,
        channel=spec.message.channel,
        purpose=spec.purpose,
        owner=row["tenant"],
        tags=[f"channel:{spec.message.channel}", f"purpose:{spec.purpose}", f"tenant:{row['tenant']}"],
        schedule=timing(spec.schedule, zone),
        timezone=zone,
        start_date=row["activated_at"].astimezone(UTC).isoformat(),
        lines=list(row["lines"]),
        test_line=row["test_line"],
        priority=PRIORITY[spec.purpose],
        retries=RETRIES,
        receipt_hours=spec.delivery.receipt_hours,
        misfire_minutes=spec.delivery.misfire_minutes or settings().misfire_minutes,
        doc_md=describe(
            spec,
            version=row["version"],
            tenant_title=row["tenant_title"],
            zone=row["timezone"],
            lines=list(row["lines"]),
        ),
    )


def timing(schedule: Schedule, zone: str) -> dict[str, str]:
    """A schedule as a moment, a cron expression or nothing."""
    moment = aware(schedule.at, zone)
    if moment is not None:
        return {"at": moment.astimezone(UTC).isoformat()}
    if schedule.cron is not None:
        return {"cron": schedule.cron}
    if schedule.daily is not None:
        return {"cron": f"{_clock(schedule.daily)} * * *"}
    if schedule.weekly is not None:
        # cron counts the days from Sunday = 0
        days = ",".join(str((DAYS.index(day) + 1) % 7) for day in schedule.weekly.days)
        return {"cron": f"{_clock(schedule.weekly.at)} * * {days}"}
    return {}


def _clock(value: str) -> str:
    hour, minute = value.split(":")
    return f"{int(minute)} {int(hour)}"


def _error(row: dict[str, Any], error: ValueError) -> DefinitionError:
    source = f"{STORE_SOURCE}{row['tenant']}/{row['slug']} version {row['version']}"
    if isinstance(error, ValidationError):
        found = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
        return DefinitionError(source, f"{'; '.join(found)}. Apply it again from its YAML file.")
    return DefinitionError(source, f"{error}.")

"""From the campaigns in the store to the entries of the manifests."""

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic import ValidationError

from include.campaigns.manifest import DefinitionError, Entry, in_store
from include.campaigns.mistakes import shown
from include.campaigns.spec import CampaignSpec, Schedule
from include.campaigns.times import DAYS, aware
from include.campaigns.words import describe
from include.errors import BongsuError
from include.queries import query
from include.taxonomy import RETRIES

PRIORITY = {"authentication": 30, "informational": 20, "advertising": 10}


class NoLine(BongsuError):
    """A tenant has no line, so nothing of it can be sent."""


def read_entries(
    platform: psycopg.Connection, last_good: dict[str, Entry], *, now: datetime | None = None
) -> tuple[dict[int, list[Entry]], list[DefinitionError]]:
    """All campaigns that have a DAG, by shard, and what is wrong with those that cannot be used.

    Each campaign is compiled for itself: whatever one of them raises, the others have their entries.

    :param platform: a connection of the platform role.
    :param last_good: the entries of the last compile by DAG id; a campaign that cannot be used keeps its own.
    """
    by_shard: dict[int, list[Entry]] = {}
    wrong: list[DefinitionError] = []
    for row in _rows(platform, now or datetime.now(UTC), None):
        try:
            entry: Entry | None = make_entry(row)
        except Exception as error:
            wrong.append(_error(row, error))
            entry = last_good.get(row["dag_id"])
        if entry is not None:
            by_shard.setdefault(row["shard"], []).append(entry)
    return by_shard, wrong


def check_entry(store: psycopg.Connection, campaign_id: int, now: datetime) -> None:
    """Compile one campaign as it stands in this transaction, and raise what compiling it raises.

    :param store: a connection that sees the campaign's tenant.
    """
    for row in _rows(store, now, campaign_id):
        make_entry(row)


def _rows(store: psycopg.Connection, now: datetime, campaign_id: int | None) -> list[dict[str, Any]]:
    with store.transaction(), store.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("campaigns/for_manifests"), {"now": now, "campaign": campaign_id}).fetchall()


def make_entry(row: dict[str, Any]) -> Entry:
    """The entry of one row of ``campaigns/for_manifests``.

    :raises NoLine: the tenant has none.
    :raises pydantic.ValidationError: the stored definition is not valid.
    """
    spec = CampaignSpec.model_validate_json(row["spec"])
    if not row["lines"]:
        raise NoLine(f"tenant {row['tenant']} has no line: give it a line group that has one")
    zone = spec.schedule.timezone or row["timezone"]
    return Entry(
        dag_id=row["dag_id"],
        campaign_id=row["campaign_id"],
        version=row["version"],
        tenant_id=row["tenant_id"],
        tenant=row["tenant"],
        slug=row["slug"],
        title=spec.title,
        owner=row["tenant"],
        tags=[f"channel:{spec.message.channel}", f"purpose:{spec.purpose}", f"tenant:{row['tenant']}"],
        schedule=timing(spec.schedule, zone),
        timezone=zone,
        start_date=row["activated_at"].astimezone(UTC).isoformat(),
        lines=list(row["lines"]),
        test_line=row["test_line"],
        priority=PRIORITY[spec.purpose],
        retries=RETRIES,
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


def _error(row: dict[str, Any], error: Exception) -> DefinitionError:
    if isinstance(error, NoLine):
        problem = f"{error}."
    elif isinstance(error, ValidationError):
        found = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
        problem = f"{'; '.join(found).rstrip('.')}. Apply it again from its YAML file."
    else:
        problem = f"it cannot be read ({shown(error)}). Apply it again from its YAML file."
    return in_store(row["tenant"], row["slug"], row["version"], problem)

"""What the tests of backup and restore share: whole stores and lines, and campaigns in them."""

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from include.backup import Part
from include.backup import line as lines
from include.backup.line import line_tables
from include.backup.make import make_backup
from include.backup.manifest import Manifest
from include.backup.restore import restore_backup
from include.backup.store import count_rows
from include.crashpoints import CrashPoint
from include.delivery.chunks import plan_chunks
from include.delivery.line_connection import connect_for_hand_over, connect_line
from include.embedded.state import Home
from include.settings import ROOT
from tests.conftest import own_databases
from tests.support import Campaign, Databases, make_campaign, numbers, own_files, write_csv

opened: list[Campaign] = []


def databases_of(home: Home, folder: Path) -> AbstractContextManager[Databases]:
    """The databases of ``home``, for campaigns whose files are in ``folder``."""
    return own_databases(home, own_files(home.path / "customer-files", folder))


def leave(*campaigns: Campaign) -> None:
    """Close their connections: a restore wants the store for itself."""
    for campaign in campaigns:
        opened[:] = [other for other in opened if other is not campaign]
        campaign.close()


def a_campaign(databases: Databases, folder: Path, people: int, **options: Any) -> Campaign:
    rows = [(number, "김\\철수 \"'") for number in numbers(people)]
    file = write_csv(folder / f"{people}.csv", ("phone", "name"), rows)
    opened.append(make_campaign(databases, file, **options))
    return opened[-1]


def quietly(line: str) -> None:
    """Progress that nobody reads."""


def back_up(databases: Databases, folder: Path) -> Manifest:
    return make_backup(folder, databases.owner_url, databases.line_url, quietly)


def restore(
    databases: Databases,
    folder: Path,
    keyring: Path | None = None,
    *,
    only: Part | None = None,
    replace: bool = True,
) -> None:
    urls = databases.owner_url, databases.line_tables_url
    restore_backup(folder, *urls, keyring or databases.keyring, only=only, replace=replace, say=quietly)


def line_rows(databases: Databases) -> dict[str, list[Any]]:
    """Everything in the line's tables."""
    found = {}
    with connect_line(databases.line_url) as line, line.cursor() as cursor:
        for table in line_tables(line):
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
            found[table] = list(cursor.fetchall())
    return found


def store_rows(databases: Databases) -> dict[str, int]:
    with databases.owner() as owner:
        return count_rows(owner)


def without_markers(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {table: found for table, found in rows.items() if table != lines.MARKERS}


def reopened(databases: Databases, campaign: Campaign) -> Campaign:
    """The campaign with new connections, to the servers as they are now."""
    again = Campaign(**{**vars(campaign), "databases": databases})
    again.store, again.ring = databases.store(campaign.tenant_id), databases.ring
    again.line, again.carrier = connect_for_hand_over(databases.line_url), connect_line(databases.line_tables_url)
    opened.append(again)
    again.again()
    return again


def bongsu(databases: Databases, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "include.cli", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=dict(databases.environment), capture_output=True, text=True)


def chunks_of(campaign: Campaign) -> list[int]:
    return plan_chunks(campaign.store, campaign.again())


class Died(BaseException):
    """A task that ended at a crash point."""


def die_at(campaign: Campaign, chunk: int, point: CrashPoint) -> None:
    """Dispatch a chunk up to a crash point."""

    def died(reached: CrashPoint) -> None:
        if reached is point:
            raise Died

    with pytest.MonkeyPatch.context() as patch:
        for module in ("include.delivery.dispatch", "include.delivery.line"):
            patch.setattr(f"{module}.reach", died)
        with pytest.raises(Died):
            campaign.dispatch(chunk)
    campaign.store.rollback()


def claim_only(campaign: Campaign, chunk: int) -> None:
    die_at(campaign, chunk, CrashPoint.after_claim)


def hand_over_only(campaign: Campaign, chunk: int) -> None:
    die_at(campaign, chunk, CrashPoint.after_line_commit)

"""What is found when a schedule is over: by the auditor, by the carrier's own memory, and in the run's own state."""

from dataclasses import dataclass, field

import MySQLdb
import psycopg

from include.campaigns import runs
from include.delivery.line_connection import connect_line
from include.errors import HandOverError
from include.reporting.audit import audit
from include.store import connect
from tests.faults.carrier import Carrier
from tests.faults.servers import Servers
from tests.faults.tries import Place


@dataclass
class Result:
    """What was found wrong with a schedule, and what happened on the way."""

    seed: int
    twice: int = 0
    missing: int = 0
    open_books: int = 0
    problems: list[str] = field(default_factory=list)
    hits: dict[str, int] = field(default_factory=dict)
    tries: int = 0
    seconds: float = 0.0


def sent_so_far(servers: Servers) -> int:
    """The number of the last message that the carrier was given."""
    return _number(servers, "SELECT coalesce(max(sent_id), 0) FROM smsline.SANDBOX_SENT")


def judge(result: Result, place: Place, servers: Servers, carrier: Carrier, sent_before: int) -> None:
    """What the auditor says, what the carrier remembers, and whether the run has ended well."""
    try:
        with connect(place.store_url, place.tenant_id) as store:
            run = runs.load(store, place.run_id)
            line = connect_line(place.line_url)
            try:
                found = audit(store, line, place.ring, run)
            finally:
                line.close()
    except (HandOverError, runs.UnknownRun, psycopg.Error, MySQLdb.Error) as error:
        result.open_books = 1
        result.problems.append(f"There is nothing to audit: {error}")
        return
    lost = carrier.lost(place.run_id)
    given = f"FROM smsline.SANDBOX_SENT WHERE sent_id > {sent_before} AND app_etc1 LIKE '{place.run_id}.%'"
    sent, people = (_number(servers, f"SELECT count({what}) {given}") for what in ("*", "DISTINCT app_etc1"))
    result.twice = max(found.twice, sent - people)
    result.missing = found.missing + lost
    wrong = [f"{name.replace('_', ' ')}: {count}" for name, count in found.faults.items() if count]
    if lost:
        wrong.append(f"never taken by the carrier: {lost}")
    elif people != found.found and run.state == "finished":
        wrong.append(f"the carrier was given messages for {people} people, {found.found} have rows")
    if run.state != "finished":
        wrong.append(f"the run is {run.state}")
    result.problems += [*wrong, *found.disagreements]
    # Whatever else is wrong counts here: the run's books say what did not happen, or say nothing.
    result.open_books = int(bool(result.problems) and not (result.twice or result.missing))
    if run.state != "finished" or found.disagreements:
        result.open_books = 1


def _number(servers: Servers, statement: str) -> int:
    with servers.root() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
    return int(row[0]) if row else 0

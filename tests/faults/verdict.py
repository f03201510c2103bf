"""What is found when a schedule is over: by the auditor, by the carrier's own memory, and in the run's own state."""

from dataclasses import dataclass, field

import MySQLdb
import psycopg

from include.campaigns import runs
from include.delivery.line_connection import connect_line
from include.errors import HandOverError
from include.queries import query
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
    after_refusal: int = 0
    problems: list[str] = field(default_factory=list)
    hits: dict[str, int] = field(default_factory=dict)
    tries: int = 0
    seconds: float = 0.0


def sent_so_far(servers: Servers) -> int:
    """The number of the last message that the carrier was given."""
    return _number(servers, "SELECT coalesce(max(sent_id), 0) FROM smsline.SANDBOX_SENT")


def judge(result: Result, place: Place, servers: Servers, carrier: Carrier, sent_before: int, expected: str) -> None:
    """What the auditor says, what the carrier remembers, and whether the run has ended as it had to.

    :param expected: the state in which the run has to be.
    """
    try:
        with connect(place.store_url, place.tenant_id) as store:
            run = runs.load(store, place.run_id)
            if run.frozen_at is None and expected != "finished":
                _judge_unfrozen(result, servers, store, run, expected)
                return
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
    result.after_refusal += found.after_opt_out
    wrong = [f"{name.replace('_', ' ')}: {count}" for name, count in found.faults.items() if count]
    if expected == "refused":
        result.after_refusal += found.line_rows
        wrong.append(f"a run that had to be refused sent {found.line_rows} messages")
    if lost:
        wrong.append(f"never taken by the carrier: {lost}")
    elif people != found.found and run.state == "finished":
        wrong.append(f"the carrier was given messages for {people} people, {found.found} have rows")
    if run.state != expected:
        wrong.append(f"the run is {run.state}, not {expected}")
    result.problems += [*wrong, *found.disagreements]
    # Whatever else is wrong counts here: the run's books say what did not happen, or say nothing.
    result.open_books = int(bool(result.problems) and not (result.twice or result.missing or result.after_refusal))
    if run.state != expected or found.disagreements:
        result.open_books = 1


def _judge_unfrozen(result: Result, servers: Servers, store: psycopg.Connection, run: runs.Run, expected: str) -> None:
    """A run that ended before anybody was in its audience has handed over nothing; a cancelled one has closed books."""
    handed_over = _number(servers, f"SELECT count(*) FROM smsline.BONGSU_HANDOVER WHERE run_id = {run.run_id}")
    result.after_refusal += handed_over
    if handed_over:
        result.problems.append(f"a run that was {run.state} handed over {handed_over} chunks")
    certificate = store.execute(query("audit/certificate"), {"run": run.run_id}).fetchone()
    closed = certificate is not None and certificate[0] is True
    if run.state != expected or (expected == "cancelled" and not closed):
        result.open_books = 1
        result.problems.append(
            f"the run is {run.state}, not {expected}; its books are {'' if closed else 'not '}closed"
        )


def _number(servers: Servers, statement: str) -> int:
    with servers.root() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
    return int(row[0]) if row else 0

"""The report of a run: as data for ``--report`` and as lines for people, and the CSV of rejected rows."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from include.audience.reasons import REASONS
from include.campaigns import runs
from include.errors import BongsuError
from include.queries import query

FORMULA = r"^[=+@\t\r\n＝＋－＠-]"
"""What a cell of a CSV begins with that a spreadsheet takes for a formula, in either width; for PostgreSQL."""


class NoReport(BongsuError):
    """The campaign has no run that can be reported on."""


def run_of(store: psycopg.Connection, slug: str, run_id: int | None = None) -> int:
    """The number of the last run of the campaign called ``slug``, of this tenant or one below it, or ``run_id`` itself.

    :raises NoReport: it has none, or ``run_id`` is not one of its runs.
    """
    row = store.execute(query("reporting/run_of"), {"slug": slug, "run": run_id}).fetchone()
    if row is None and run_id is not None:
        raise NoReport(f"{slug} has no run {run_id}. Leave --run out for its last one")
    if row is None:
        raise NoReport(f"{slug}: no run yet. Start one with: bongsu run FILE")
    return int(row[0])


def load_report(store: psycopg.Connection, run_id: int) -> dict[str, Any]:
    """The report of a run as JSON values; rates in percent, ``stages`` in seconds.

    :raises NoReport: the run is not visible to this tenant.
    """
    with store.cursor(row_factory=dict_row) as cursor:
        report = cursor.execute(query("reporting/report"), [run_id]).fetchone()
    if report is None:
        raise NoReport(f"Run {run_id} is not in the store of this tenant.")
    report["stages"] = runs.stages(store, run_id)
    return dict(report)


def render_report(report: dict[str, Any]) -> list[str]:
    """The report as lines for a terminal."""
    title = f"{'TEST · ' if report['test_send'] else ''}{report['title']} · run {report['run_id']}"
    if report["state"] == "refused":
        return [
            f"{title} · refused, nothing was sent",
            *str(report["refusal"]).splitlines(),
            f"rows read          {report['rows_read']:>12,}",
            *_by_reason("rejected", report["rejected"]),
        ]
    return [
        f"{title} · {report['state']}",
        *([f"cancelled: {report['refusal']}"] if report["state"] in ("cancelling", "cancelled") else []),
        *(["nothing was sent: nobody was left to write to"] if is_empty(report) else []),
        f"rows read          {report['rows_read']:>12,}",
        *_by_reason("rejected", report["rejected"]),
        f"duplicates         {report['duplicates']:>12,}",
        *_by_reason("excluded", report["excluded"]),
        f"recipients         {report['recipients']:>12,}",
        f"withdrawn          {report['withdrawn']:>12,}",
        *([f"cancelled          {report['cancelled']:>12,}"] if report["cancelled"] else []),
        f"chunks             {report['chunks']:>12,}",
        f"accepted           {report['accepted']:>12,}",
        f"delivered          {report['delivered']:>12,}",
        *_by_reason("failed", report["failed"], "code "),
        f"expired            {report['expired']:>12,}",
        f"unknown            {report['unknown']:>12,}",
        f"handed over twice  {report['twice']:>12,}",
        *([f"odd rows on line   {report['stray']:>12,}"] if report["stray"] else []),
        _books(report),
    ]


def is_empty(report: dict[str, Any]) -> bool:
    """Whether the books of the run are closed and nobody was written to for certain."""
    sent = report["accepted"] or report["unknown"]
    return bool(report["books_closed"]) and not sent and report["state"] == "finished"


def _books(report: dict[str, Any]) -> str:
    if report["books_closed"]:
        return "books closed"
    return "BOOKS OPEN" if report["has_certificate"] else "under way: the books are not closed yet"


def _by_reason(name: str, counts: dict[str, int], prefix: str = "") -> Iterator[str]:
    yield f"{name:<19}{sum(counts.values()):>12,}"
    for reason, count in counts.items():
        yield f"  {prefix}{reason:<{23 - len(prefix)}}{count:>6,}"


def write_rejected(store: psycopg.Connection, run_id: int, path: Path) -> int:
    """Write the rejected rows of a run as CSV that Excel opens (UTF-8 with BOM); how many.

    Columns: row number as in the file, field, reason, what is the matter, what to do, the masked value. The store
    writes the lines, so that memory is flat and a large file costs little.
    """
    reasons = REASONS.values()
    values = {
        **runs.load(store, run_id).place,
        "names": [reason.name for reason in reasons],
        "labels": [reason.label for reason in reasons],
        "explanations": [reason.explanation for reason in reasons],
        "fixes": [reason.fix for reason in reasons],
        "formula": FORMULA,
    }
    statement = sql.SQL(query("reporting/rejected_csv")).format(rejected=sql.SQL(query("reporting/rejected")))
    with path.open("wb") as file, store.cursor() as cursor:
        file.write(BOM_UTF8)
        with cursor.copy(statement, values) as copy:
            for block in copy:
                file.write(block)
        return cursor.rowcount

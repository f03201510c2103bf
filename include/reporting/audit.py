"""Recounts a run from the carrier's side only, and compares the count with the run's certificate.

The auditor takes nothing on trust from the code that sends: it opens the frozen audience, renders every message anew,
reads all queue and log tables of all lines, and compares the two as sets. It never looks at claims, chunks or markers,
and imports nothing of the hand-over, the receipts or the books. It writes nothing: the sets are temporary tables of
keyed digests, so no number and no text is readable in the store, and no audience is ever held in memory.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b, sha256
from typing import Any, NamedTuple

import MySQLdb
import MySQLdb.cursors
import psycopg
from psycopg.rows import class_row

from include.audience.packing import SEPARATOR, bound_to
from include.campaigns.definition import content_hash
from include.campaigns.runs import CANCELLED, Run
from include.errors import HandOverError
from include.messages.plan import MessagePlan, Problem
from include.privacy.cipher import INDEX_BYTES, KeyRing, NotSealedHere
from include.queries import query
from include.store import SET_AGAINST_SET

BATCH = 2_000
HASH_BLOCK = 10_000
"""Recipients in one block of the audience's hash."""
_TABLE = re.compile(r"SMSQ_SEND_([0-9]+)(?:_[0-9]{6})?")
_PEOPLE = ["int4", "bytea", "bytea"]
_ROWS = ["int4", "int4", "int4", "bytea", "bytea", "text", "int4", "float8", "float8"]


@dataclass(frozen=True)
class Audit:
    """What the line's tables hold for a run, against its frozen audience.

    :param recipients: people of the frozen audience.
    :param withdrawn: of those, absent and excused: a refusal was recorded, or the recorded consent was over, before the
        hand-over; or they were erased.
    :param cancelled: of those, absent from a run that was cancelled.
    :param found: people of whom there is a row.
    :param missing: people of whom there is none, and no excuse.
    :param line_rows: rows of the run in all tables.
    :param twice: rows beyond a person's first.
    :param wrong_number: rows to another number than the person's.
    :param wrong_text: rows whose text, subject, type or sender is not the person's message.
    :param after_opt_out: rows handed over after the person's refusal was recorded, or their recorded consent was over.
    :param stray: rows of the run that belong to nobody of its audience.
    :param wrong_line: rows on a line that is not the run's.
    :param altered: people whose frozen row does not open in its place, or whose number is not the one it was frozen
        for.
    :param delivered: people whose row says so, by its result code; so ``failed`` and ``waiting``.
    :param disagreements: where the certificate says something else, as sentences.
    """

    recipients: int
    withdrawn: int
    cancelled: int
    found: int
    missing: int
    line_rows: int
    twice: int
    wrong_number: int
    wrong_text: int
    after_opt_out: int
    stray: int
    wrong_line: int
    delivered: int
    failed: int
    waiting: int
    altered: int = 0
    disagreements: tuple[str, ...] = ()

    @property
    def expected(self) -> int:
        """People who were to get the message."""
        return self.recipients - self.withdrawn - self.cancelled

    @property
    def faults(self) -> dict[str, int]:
        """The counts that must be 0."""
        names = ("twice", "missing", "wrong_number", "wrong_text", "after_opt_out", "stray", "wrong_line", "altered")
        return {name: getattr(self, name) for name in names}

    @property
    def clean(self) -> bool:
        """Whether everybody got their own message once, and nobody anything else."""
        return not any(self.faults.values())

    @property
    def agrees_with_certificate(self) -> bool:
        """Whether the run has a certificate of closed books that says the same."""
        return not self.disagreements

    def document(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            **asdict(self),
            "expected": self.expected,
            "clean": self.clean,
            "agrees_with_certificate": self.agrees_with_certificate,
        }


class _Row(NamedTuple):
    """A row of a queue or log table, as ``sql/queries/audit/line_rows.sql`` selects it."""

    key: str | None
    group: str | None
    number: str
    sender: str
    kind: str
    subject: str | None
    text: str
    code: object
    handed_over: float | None
    answered: float | None


def audit(
    store: psycopg.Connection,
    line_connection: MySQLdb.Connection,
    ring: KeyRing,
    run: Run,
    *,
    every_row: bool = False,
) -> Audit:
    """Recount ``run``. Safe at any moment; before the run is finished, what is under way counts as missing.

    :param store: the store, as the run's tenant.
    :param every_row: also find rows whose chunk key was changed; reads every row of every table.
    :raises HandOverError: the run has no frozen audience.
    """
    if run.frozen_at is None:
        raise HandOverError(f"Run {run.run_id} has no frozen audience: there is nothing to audit.")
    spec = run.spec
    with store.transaction(force_rollback=True):
        store.execute(query("audit/prepare"))
        audience_hash, altered = _expect(store, ring, run)
        _read(store, line_connection, ring, run, every_row)
        store.execute(query("audit/analyze"))
        store.execute(SET_AGAINST_SET)
        certificate = store.execute(query("audit/certificate"), {"run": run.run_id}).fetchone()
        assert certificate is not None
        closed, body, finished = certificate
        values = {
            "tenant": run.tenant_id,
            "advertising": spec.purpose == "advertising",
            "recorded": spec.purpose == "advertising" and spec.audience.consent == "recorded",
            "cancelled": run.state in CANCELLED,
            "channel": spec.message.channel,
            "lines": run.lines,
            "finished": finished,
        }
        with store.cursor(row_factory=class_row(Audit)) as cursor:
            counted = cursor.execute(query("audit/counts"), values).fetchone()
        assert counted is not None
    hashes = {"audience_hash": audience_hash, "content_hash": content_hash(run.document).hex()}
    return replace(counted, altered=altered, disagreements=tuple(_disagreements(counted, closed, body, hashes)))


def _expect(store: psycopg.Connection, ring: KeyRing, run: Run) -> tuple[str | None, int]:
    """Fill ``audit_people``; the hash of the audience as it is now, ``None`` when people of it were erased, and how
    many of its rows are not what was frozen.
    """
    message, columns = run.spec.message, run.columns or []
    plan = MessagePlan(message.text, message.subject, message.allow_lms, columns)
    phone, unseal, key = columns.index("phone"), ring.cipher(run.key).open, ring.index_key
    whole, block, block_no, erased, altered, last = sha256(), sha256(), -1, False, 0, 0
    values = {**run.place, "limit": BATCH}
    while True:
        with store.cursor(binary=True) as cursor:
            batch = cursor.execute(query("audit/audience"), {**values, "after": last}).fetchall()
        if not batch:
            break
        with store.cursor() as cursor, cursor.copy(query("audit/people_copy")) as copy:
            copy.set_types(_PEOPLE)
            for last, row_no, index, sealed in batch:
                if sealed is None:
                    erased = True
                    copy.write_row((last, None, None))
                    continue
                try:
                    row = unseal(sealed, bound_to(row_no, index)).decode().split(SEPARATOR)
                except NotSealedHere:
                    altered += 1
                    copy.write_row((last, index, None))
                    continue
                number = ring.blind_index(row[phone])
                altered += number != index
                kind = plan.decide(row)
                if isinstance(kind, Problem):
                    raise HandOverError(f"Recipient {last} of run {run.run_id} has no message: {kind.reason}.")
                copy.write_row((last, number, _message(key, kind, *plan.render(kind, row), message.sender)))
                if last // HASH_BLOCK != block_no:
                    if block_no >= 0:
                        whole.update(block.digest())
                    block, block_no = sha256(), last // HASH_BLOCK
                block.update(struct.pack(">i", last) + number)
    if block_no >= 0:
        whole.update(block.digest())
    return None if erased else whole.hexdigest(), altered


def _read(store: psycopg.Connection, line: MySQLdb.Connection, ring: KeyRing, run: Run, every_row: bool) -> None:
    """Fill ``audit_rows`` with what all tables of all lines hold for the run."""
    key, own = ring.index_key, re.compile(rf"{run.run_id}\.0\.([1-9][0-9]{{0,8}})")
    with store.cursor() as cursor, cursor.copy(query("audit/rows_copy")) as copy:
        copy.set_types(_ROWS)
        for line_no, row in _line_rows(line, run, "audit/every_line_row" if every_row else "audit/line_rows"):
            recipient, chunk = own.fullmatch(row.key or ""), own.fullmatch(row.group or "")
            copy.write_row(
                (
                    int(recipient[1]) if recipient else None,
                    int(chunk[1]) if chunk else None,
                    line_no,
                    ring.blind_index(row.number),
                    _message(key, row.kind, row.subject, row.text, row.sender),
                    row.kind,
                    _code(row.code),
                    row.handed_over,
                    row.answered,
                )
            )


def _line_rows(line: MySQLdb.Connection, run: Run, name: str) -> Iterator[tuple[int, _Row]]:
    """Every row of the run with its line, in one snapshot: a row on its way to a log is seen once."""
    line.rollback()
    with line.cursor() as cursor:
        cursor.execute(query("audit/tables"))
        tables = [str(table) for (table,) in cursor.fetchall()]
    line.rollback()
    try:
        with line.cursor(MySQLdb.cursors.SSCursor) as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            for table in tables:
                match = _TABLE.fullmatch(table)
                assert match is not None
                cursor.execute(query(name).format(table=table), {"run": f"{run.run_id}.%"})
                while rows := cursor.fetchmany(BATCH):
                    for row in rows:
                        yield int(match[1]), _Row(*row)
    finally:
        line.rollback()


def _code(written: object) -> int | None:
    """A result code; ``None`` for what is no number that a code could be."""
    text = str(written)
    return int(text) if re.fullmatch(r"-?[0-9]{1,10}", text) and -(2**31) <= int(text) < 2**31 else None


def _message(key: bytes, kind: str, subject: str | None, text: str, sender: str) -> bytes:
    """A keyed digest of everything that a message says; the number has its blind index."""
    return blake2b(repr((kind, subject, text, sender)).encode(), digest_size=INDEX_BYTES, key=key).digest()


def _disagreements(
    counted: Audit, closed: bool | None, body: dict[str, Any] | None, hashes: dict[str, str | None]
) -> Iterator[str]:
    """Where the certificate says something else than the recount."""
    if body is None:
        yield "The run has no certificate."
        return
    if not closed:
        yield "The certificate says that the books are open."
    totals: dict[str, int] = body["totals"]
    for name, here, there in (
        ("recipients", counted.recipients, totals["recipients"]),
        (
            "without a row",
            counted.withdrawn + counted.cancelled + counted.missing,
            totals["withdrawn"] + totals["cancelled"] + totals["unknown"],
        ),
        ("accepted", counted.found, totals["accepted"]),
        ("rows on the line", counted.line_rows, totals["line_rows"]),
        ("handed over twice", counted.twice, totals["twice"]),
    ):
        if here != there:
            yield f"{name}: {here:,} found, the certificate says {there:,}."
    # a result that came after the receipt window stands on the line only
    late = totals["expired"] + totals["waiting"]
    for name, here, there in (
        ("delivered", counted.delivered, totals["delivered"]),
        ("failed", counted.failed, totals["failed"]),
    ):
        if not there <= here <= there + late:
            yield f"{name}: {here:,} by the result codes, the certificate says {there:,}."
    for name, now in hashes.items():
        if now is not None and now != body[name]:
            yield f"{name.replace('_', ' ')}: the certificate's is not that of the run as it is now."


def render_audit(run: Run, done: Audit) -> list[str]:
    """The audit as lines for a terminal."""
    counts: Sequence[tuple[str, int]] = (
        ("recipients", done.recipients),
        ("withdrawn", done.withdrawn),
        ("cancelled", done.cancelled),
        ("expected", done.expected),
        ("found", done.found),
        *((name.replace("_", " "), count) for name, count in done.faults.items()),
        ("delivered", done.delivered),
        ("failed", done.failed),
        ("without result", done.waiting),
    )
    return [
        f"{run.spec.title} · run {run.run_id} · {run.state}, counted in the line's tables",
        *(f"{name:<19}{count:>12,}" for name, count in counts),
        "clean" if done.clean else "NOT CLEAN",
        *(done.disagreements or ["agrees with the certificate"]),
    ]

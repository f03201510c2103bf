"""Brings a customer file into the run's staging table: one pass, one transaction, nothing half-imported.

Every row is read, normalised, checked against the message and sealed in the same pass, because the clear text must not
be stored and a second pass would open every row again. The rows arrive through a temporary table, since COPY cannot
write a table under row-level security.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import psycopg

from include.audience.columns import PHONE, ColumnPlan, resolve_columns
from include.audience.phones import normalise
from include.audience.reader import open_table
from include.campaigns.runs import Run
from include.messages.plan import MessagePlan, Problem
from include.messages.template import clean
from include.privacy.cipher import INDEX_BYTES, Cipher, KeyRing
from include.privacy.mask import mask_phone, mask_text
from include.queries import query

SEPARATOR = "\x1f"
BATCH = 10_000
YES = frozenset({"y", "yes", "o", "1", "true", "t", "예", "네", "동의", "수신동의", "수신", "허용"})
COPY_TYPES = ["int4", "int8", "bool", "text", "bytea", "bytea", "text", "text", "text", "text"]


@dataclass(frozen=True)
class ImportCounts:
    """What an import found: rows read, and how many of them were rejected."""

    rows_read: int
    rejected: int


class RowReader:
    """Turns a row of the file into a row of the staging table.

    :param columns: the file's columns and their variables.
    :param watched: the columns whose empty cells the gate counts.
    :ivar sealed: the variables of a payload in their order, the phone number first: what the message uses and no more.
    """

    def __init__(
        self, columns: ColumnPlan, plan: MessagePlan, ring: KeyRing, cipher: Cipher, watched: Sequence[str]
    ) -> None:
        self._phone = columns.phone
        self._names = {name: place for place, name in enumerate(columns.variables)}
        self._consent = self._names.get("consent")
        self._watched = [(columns.index(name), 1 << bit) for bit, name in enumerate(watched)]
        self._plan, self._key, self._seal_many = plan, ring.index_key, cipher.seal_many
        self.sealed = [PHONE, *(name for name in plan.variables if name in self._names and name != PHONE)]
        self._sealed = [self._names[name] for name in self.sealed]

    def stage(self, first_row: int, rows: list[list[str]]) -> Iterator[tuple[object, ...]]:
        """The staging rows of a batch, in order; ``first_row`` numbers the first."""
        payloads: list[bytes | None] = []
        heads: list[tuple[object, ...]] = []
        phone, consent, key, decide = self._phone, self._consent, self._key, self._plan.decide
        for row_no, row in enumerate(rows, first_row):
            blanks = 0
            for place, bit in self._watched:
                if not row[place].strip():
                    blanks |= bit
            agreed = None if consent is None else row[consent].strip().lower() in YES
            number, reason = normalise(row[phone])
            if number is None:
                masked = mask_phone(row[phone])
                heads.append((row_no, blanks, agreed, None, None, "phone", reason, None, masked))
                payloads.append(None)
                continue
            row[phone] = number
            kind = decide(row)
            if isinstance(kind, Problem):
                place_of_field = self._names.get(kind.field)
                masked = mask_text(row[place_of_field]) if place_of_field is not None else mask_phone(number)
                heads.append((row_no, blanks, agreed, None, None, kind.field, kind.reason, kind.detail, masked))
                payloads.append(None)
                continue
            index = blake2b(number.encode(), digest_size=INDEX_BYTES, key=key).digest()
            heads.append((row_no, blanks, agreed, kind, index, None, None, None, None))
            payloads.append(SEPARATOR.join([clean(row[place]) for place in self._sealed]).encode())
        for head, payload in zip(heads, self._seal_many(payloads), strict=True):
            yield (*head[:5], payload, *head[5:])


def import_targets(
    store: psycopg.Connection,
    run: Run,
    ring: KeyRing,
    progress: Callable[[int], None] = lambda rows: None,
) -> ImportCounts:
    """Read the run's file into ``staged_targets``; a repeated import replaces the one before.

    :param progress: called now and then with the rows read so far.
    :raises MalformedFile: the file cannot be read; names the row. Nothing is stored.
    :raises Refused: a column is missing, or the text cannot be sent to anybody. Nothing is stored.
    """
    audience, message = run.spec.audience, run.spec.message
    table = open_table(
        run.audience_file, encoding=audience.encoding, delimiter=audience.delimiter, sheet=audience.sheet
    )
    resolved = resolve_columns(table.header, audience.columns)
    plan = MessagePlan(message.text, message.subject, message.allow_lms, resolved.variables)
    watched = [] if run.test_send else list(audience.gate.max_null_share)
    reader = RowReader(resolved, plan, ring, ring.cipher(run.key), watched)
    done = 0
    with store.transaction():
        store.execute(query("audience/stage_prepare"))
        with store.cursor() as cursor, cursor.copy(query("audience/stage_copy")) as copy:
            copy.set_types(COPY_TYPES)
            for first_row, rows in table.batches(BATCH):
                for staged in reader.stage(first_row, rows):
                    copy.write_row(staged)
                done += len(rows)
                progress(done)
        values = {"tenant": run.tenant_id, "run": run.run_id, "columns": reader.sealed}
        store.execute(query("audience/stage_replace"), values)
        found = store.execute(query("audience/stage_store"), values)
        assert found.rowcount == done
        rejected = store.execute(query("audience/stage_finish"), values).fetchone()
    assert rejected is not None
    return ImportCounts(rows_read=done, rejected=int(rejected[0]))

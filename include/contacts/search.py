"""Finds contacts by number, last four digits, external id, or tag and region, and gives them out masked, in pages."""

from dataclasses import dataclass, fields
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from include.contacts.keys import cipher_context, last_four_index, last_four_of, number_index, number_of, word
from include.errors import Refused
from include.privacy.cipher import Cipher, KeyRing
from include.privacy.mask import mask_phone, mask_text
from include.queries import query

PAGE = 50
LARGEST_PAGE = 200
NEWEST = 2**63 - 1
"""The contact id that every page begins below."""


@dataclass(frozen=True, repr=False)
class ContactQuery:
    """What is looked for: exactly one of number, last four digits, external id; or a tag, a region, or both.

    Not shown: it may hold a phone number.

    :param number: phone number in any form that people write.
    :param last_four: last four digits of the number.
    :param external_id: the person's id in the customer's own system.
    :param tag: one of the person's tags.
    :param region: the person's region, as it was stored.
    """

    number: str | None = None
    last_four: str | None = None
    external_id: str | None = None
    tag: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class Contact:
    """A contact as it may be shown: number and name are masked."""

    contact_id: int
    tenant_id: int
    number: str
    name: str
    external_id: str | None
    tags: list[str]
    region: str | None
    created_at: datetime


@dataclass(frozen=True)
class ContactPage:
    """Contacts, newest first; ``following`` is the ``before`` of the next page, ``None`` after the last."""

    contacts: list[Contact]
    following: int | None


@dataclass(frozen=True, repr=False)
class _Row:
    contact_id: int
    tenant_id: int
    phone_enc: bytes | None
    name_enc: bytes | None
    external_id: str | None
    tags: list[str]
    region: str | None
    created_at: datetime


def search(
    store: psycopg.Connection,
    ring: KeyRing,
    wanted: ContactQuery,
    *,
    before: int = NEWEST,
    limit: int = PAGE,
) -> ContactPage:
    """A page of the contacts that match, of every tenant that ``store`` sees. Only the page is decrypted.

    :param before: ``following`` of the page before; contacts stored meanwhile do not move the pages.
    :param limit: contacts a page, 1 to 200.
    :raises Refused: the question cannot be answered; names the field and what to do. The value is not quoted.
    """
    if not 1 <= limit <= LARGEST_PAGE:
        raise Refused(f"limit: a page has 1 to {LARGEST_PAGE} contacts. Ask for the next page to see more.")
    found_by, values = statement(ring, wanted)
    with store.transaction(), store.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(found_by, {**values, "before": before, "rows": limit + 1}).fetchall()
    shown = rows[:limit]
    ciphers = {tenant: ring.cipher(cipher_context(tenant)) for tenant in {row.tenant_id for row in shown}}
    return ContactPage(
        [_masked(row, ciphers[row.tenant_id]) for row in shown],
        shown[-1].contact_id if len(rows) > limit else None,
    )


def statement(ring: KeyRing, wanted: ContactQuery) -> tuple[sql.Composed, dict[str, object]]:
    """The query that answers, and its values but for ``before`` and ``rows``.

    :raises Refused: see :func:`search`.
    """
    table, values = _index(ring, wanted)
    matches = sql.SQL(" AND ").join(
        sql.SQL("m.{} = {}").format(sql.Identifier(column), sql.Placeholder(column)) for column in values
    )
    return sql.SQL(query("contacts/search")).format(table=sql.Identifier(table), matches=matches), values


def _index(ring: KeyRing, wanted: ContactQuery) -> tuple[str, dict[str, object]]:
    """The table whose index answers, and the values to look up in its columns."""
    given = {field.name: value for field in fields(wanted) if (value := getattr(wanted, field.name)) is not None}
    match given:
        case {"number": text, **rest} if not rest:
            return "contacts", {"phone_index": number_index(ring, number_of(text))}
        case {"last_four": text, **rest} if not rest:
            return "contacts", {"last4_index": last_four_index(ring, last_four_of(text))}
        case {"external_id": text, **rest} if not rest:
            return "contacts", {"external_id": word("external_id", text)}
        case {"region": text, **rest} if not rest:
            return "contacts", {"region": word("region", text)}
        case {"tag": _, **rest} if not rest.keys() - {"region"}:
            return "contact_tags", {field: word(field, text) for field, text in given.items()}
    if not given:
        raise Refused("number: nothing is looked for. Give a number, last_four, external_id, tag or region.")
    raise Refused(f"{', '.join(given)}: only tag and region go together. Give one of the others alone.")


def _masked(row: _Row, cipher: Cipher) -> Contact:
    return Contact(
        contact_id=row.contact_id,
        tenant_id=row.tenant_id,
        number=mask_phone(cipher.open(row.phone_enc).decode()) if row.phone_enc is not None else "",
        name=mask_text(cipher.open(row.name_enc).decode()) if row.name_enc is not None else "",
        external_id=row.external_id,
        tags=row.tags,
        region=row.region,
        created_at=row.created_at,
    )

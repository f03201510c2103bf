"""Writes contacts into the store, in sets: sealed, with the indexes by which they are found."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import psycopg

from include.contacts.keys import cipher_context, last_four_index, number_index, number_of, word
from include.errors import Refused
from include.privacy.cipher import KeyRing
from include.queries import query

BATCH = 10_000
COPY_TYPES = ["int4", "bytea", "bytea", "bytea", "bytea", "text", "text[]", "text"]


@dataclass(frozen=True, slots=True, repr=False)
class NewContact:
    """A person to be stored. Not shown: it holds what identifies them.

    :param number: phone number in any form that people write.
    :param external_id: the person's id in the customer's own system; stands for one number.
    """

    number: str
    name: str | None = None
    external_id: str | None = None
    tags: tuple[str, ...] = ()
    region: str | None = None


def store_contacts(
    store: psycopg.Connection,
    ring: KeyRing,
    tenant_id: int,
    contacts: Iterable[NewContact],
    source: Literal["upload", "sync", "manual"],
) -> int:
    """Store people of a tenant, all or none; how many rows were written.

    The number says who a person is: one that is known is replaced as a whole, and of two with one number the later
    counts. Memory is flat in their number.

    :raises Refused: a value cannot be used, or an external id stands for two numbers; names the row, counted from 1.
    """
    values = {"tenant": tenant_id, "source": source}
    with store.transaction():
        store.execute(query("contacts/arrive"))
        with store.cursor() as cursor, cursor.copy(query("contacts/arrive_copy")) as copy:
            copy.set_types(COPY_TYPES)
            for row in _sealed(ring, tenant_id, iter(contacts)):
                copy.write_row(row)
        store.execute("ANALYZE arriving_contacts")
        twice = store.execute(query("contacts/claimed_twice"), values).fetchone()
        if twice is not None:
            raise Refused(
                f"Contact {twice[0]:,}: external_id: it stands for another number, too. "
                "Give each person an id of their own, or leave it out."
            )
        return store.execute(query("contacts/store"), values).rowcount


def _sealed(ring: KeyRing, tenant_id: int, contacts: Iterator[NewContact]) -> Iterator[tuple[object, ...]]:
    """The rows of ``arriving_contacts``, sealed a batch at a time."""
    seal_many = ring.cipher(cipher_context(tenant_id)).seal_many
    position = 0
    while batch := list(islice(contacts, BATCH)):
        numbers: list[str] = []
        rest: list[tuple[object, ...]] = []
        for contact in batch:
            position += 1
            try:
                numbers.append(number_of(contact.number))
                rest.append(
                    (
                        word("external_id", contact.external_id) if contact.external_id is not None else None,
                        sorted({word("tags", tag) for tag in contact.tags}),
                        word("region", contact.region) if contact.region is not None else None,
                    )
                )
            except Refused as error:
                raise Refused(f"Contact {position:,}: {error}") from error
        phones = seal_many(number.encode() for number in numbers)
        names = seal_many(contact.name.encode() if contact.name else None for contact in batch)
        for place, (number, phone, name) in enumerate(zip(numbers, phones, names, strict=True)):
            yield (
                position - len(batch) + place + 1,
                number_index(ring, number),
                last_four_index(ring, number[-4:]),
                phone,
                name,
                *rest[place],
            )

"""The key ring in use, compared with what the campaign store knows of its keys.

A foreign ring does no visible harm at first: every row can be sealed with it. But its index key finds no opt-out, so
the people who refused are written to. So the store keeps a check value of each key, and nobody gets a ring that does
not have exactly these keys. Decision 19 says why, and why a rotation takes three steps.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psycopg
from psycopg.rows import class_row

from include.privacy.cipher import KeyRing, KeyRingError
from include.queries import query


@dataclass(frozen=True)
class KeyCheck:
    """What the store knows of a key; ``required`` is false while a rotation is putting it into the ring."""

    key_no: int
    check_value: bytes
    required: bool


def open_ring(store: psycopg.Connection, path: Path) -> KeyRing:
    """The ring at ``path``, once the store has confirmed it: the only way to a ring for who seals, opens or indexes.

    :param store: the store, as any of its roles.
    :raises KeyRingError: there is no ring, it is not one, or it is not the one of this store.
    """
    known = known_keys(store)
    while (problem := difference((ring := _read(path)).check_values(), known)) is not None:
        # A rotation changes first what the store knows, then the file: what was compared may be of two moments.
        before, known = known, known_keys(store)
        if known == before:
            raise _foreign(path, problem)
    return ring


def known_keys(store: psycopg.Connection) -> list[KeyCheck]:
    """What the store knows of its keys."""
    with store.transaction(), store.cursor(row_factory=class_row(KeyCheck)) as cursor:
        return cursor.execute(query("keys/known")).fetchall()


def ring_of_backup(path: Path, known: Sequence[KeyCheck]) -> KeyRing:
    """The ring at ``path``, if it opens what a store sealed that knew these keys; it may have got further ones since.

    :raises KeyRingError: there is no ring, it is not one, or it lacks a key or has another.
    """
    ring = KeyRing.load(path)
    numbers = {check.key_no for check in known}
    same = {number: check for number, check in ring.check_values().items() if number in numbers}
    if (problem := difference(same, known)) is not None:
        raise KeyRingError(
            f"The key ring at {path} is not the one of this backup: {problem}. Nothing was restored: put the "
            "ring there that was in use when it was made, or a later one of the same installation."
        )
    return ring


def difference(ring: Mapping[int, bytes], known: Sequence[KeyCheck]) -> str | None:
    """What tells a ring's check values from the known ones, for a person; ``None``: it is the ring."""
    if not known:
        return "the store knows no keys yet; `bongsu up`, or the start of the services, tells it"
    checks = {check.key_no: check.check_value for check in known}
    for number in sorted(ring.keys() & checks.keys()):
        if ring[number] != checks[number]:
            return f"its {_name(number)} is another"
    if lacking := sorted(check.key_no for check in known if check.required and check.key_no not in ring):
        return f"it lacks {_name(lacking[-1])}, so it is a copy from before a rotation"
    if surplus := sorted(ring.keys() - checks.keys()):
        return f"the store does not know its {_name(surplus[0])}"
    return None


def prepare_ring(owner: psycopg.Connection, path: Path) -> None:
    """What a start does: a new store gets a ring and knows its keys from then on; any other store's ring is checked.

    A ring is made for a store that knows no keys and in which nothing was ever sealed or indexed. As long as nothing
    was, the store takes another ring that is given to it.

    :param owner: the store as the owner of its tables.
    :raises KeyRingError: the store's ring is not there, or another one is.
    """
    with _alone(owner):
        known = known_keys(owner)
        is_used = _is_used(owner)
        if not known and is_used:
            raise KeyRingError(
                "The campaign store has rows, but does not know the keys that they are sealed with. Nothing is sent "
                "from it: restore the table key_checks from a backup."
            )
        if not known and not path.exists():
            KeyRing.create(path)
        ring = KeyRing.load(path)
        if (problem := difference(ring.check_values(), known)) is None:
            return
        if is_used:
            raise _foreign(path, problem)
        with owner.transaction():
            owner.execute(query("keys/forget"))
            for number in ring.check_values():
                owner.execute(query("keys/tell"), tell(number, ring))


def rotate(owner: psycopg.Connection, path: Path) -> int:
    """Add a key to the ring and make it the current one; the number of the key.

    The store hears of the key first, as one that a ring may have; then the ring's file is replaced; then the key is
    required. A process that is killed between two of these steps leaves a ring that is valid and complete, and the next
    call finishes what it began. ``path`` is the file that all workers share.

    :param owner: the store as the owner of its tables.
    :raises KeyRingError: the ring is not the one of this store, or is full.
    """
    with _alone(owner):
        ring = open_ring(owner, path)
        coming = [check.key_no for check in known_keys(owner) if not check.required]
        if ring.current not in coming:
            with owner.transaction():
                owner.execute(query("keys/forget_coming"))
                ring = ring.rotated()
                owner.execute(query("keys/tell"), tell(ring.current, ring, required=False))
            ring.write(path)
        with owner.transaction():
            owner.execute(query("keys/require"), {"number": ring.current})
            owner.execute(query("keys/audit"), {"number": ring.current})
        return ring.current


@lru_cache(maxsize=4)
def _loaded(path: Path, file: int, changed: int) -> KeyRing:
    return KeyRing.load(path)


def _read(path: Path) -> KeyRing:
    """The ring at ``path``, parsed once a process for each change of the file, its owner or its mode."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return KeyRing.load(path)
    return _loaded(path, status.st_ino, status.st_ctime_ns)


@contextmanager
def _alone(owner: psycopg.Connection) -> Iterator[None]:
    """One start or rotation at a time."""
    owner.execute("SELECT pg_advisory_lock(hashtext('bongsu.key_checks'))")
    owner.commit()
    try:
        yield
    finally:
        owner.rollback()
        owner.execute("SELECT pg_advisory_unlock(hashtext('bongsu.key_checks'))")
        owner.commit()


def _is_used(owner: psycopg.Connection) -> bool:
    with owner.transaction():
        row = owner.execute(query("keys/is_used")).fetchone()
    assert row is not None
    return bool(row[0])


def tell(number: int, ring: KeyRing, *, required: bool = True) -> dict[str, object]:
    """The values of ``keys/tell`` for a key of the ring."""
    return {"number": number, "check": ring.check_values()[number], "required": required}


def _name(number: int) -> str:
    return f"key {number}" if number else "index key"


def _foreign(path: Path, problem: str) -> KeyRingError:
    return KeyRingError(
        f"The key ring at {path} is not the one of this campaign store: {problem}. Nothing is sent with it: "
        "put the ring back that the store's rows were sealed with, then repeat the command or clear the task."
    )

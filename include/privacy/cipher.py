"""AES-256-GCM with a key ring, and a keyed blind index.

A ciphertext is ``key number (1 byte) + nonce (12) + sealed data and tag``. Each context (a run, a table) has its own
data key, derived from the ring's key by HKDF, so that random nonces stay far below their limit of 2³² a key. A value
may be bound to its place in the context (associated data): moved elsewhere, it does not open.
"""

import base64
import json
import os
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import blake2b
from itertools import repeat
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from include.errors import BongsuError

NONCE = 12
_HEAD = 1 + NONCE
INDEX_BYTES = 16

Clear = TypeVar("Clear", bytes, bytes | None)


class KeyRingError(BongsuError):
    """The key ring is missing, broken, or lacks a key that a row was sealed with."""


class NotSealedHere(KeyRingError):
    """A value was changed, or was sealed at another place."""


class Cipher:
    """Seals and opens the values of one context.

    It holds keys only and may be shared between threads.
    """

    def __init__(self, keys: dict[int, AESGCM], current: int, context: str) -> None:
        self._keys, self._context = keys, context
        self._current = keys[current]
        self._prefix = bytes([current])

    def seal(self, clear: bytes) -> bytes:
        """Encrypt one value."""
        nonce = os.urandom(NONCE)
        return self._prefix + nonce + self._current.encrypt(nonce, clear, None)

    def seal_many(self, values: Iterable[Clear], places: Iterable[bytes] | None = None) -> list[Clear]:
        """Encrypt a batch; ``None`` stays ``None``. One call for the randomness of the whole batch.

        :param places: what each value is bound to; nothing when left out.
        """
        batch = list(values)
        randomness = os.urandom(NONCE * len(batch))
        nonces = [randomness[start : start + NONCE] for start in range(0, len(randomness), NONCE)]
        prefix, encrypt = self._prefix, self._current.encrypt
        bound: Iterable[bytes | None] = repeat(None, len(batch)) if places is None else places
        return [
            None if clear is None else prefix + nonce + encrypt(nonce, clear, place)
            for nonce, clear, place in zip(nonces, batch, bound, strict=True)
        ]

    def open(self, sealed: bytes, place: bytes | None = None) -> bytes:
        """Decrypt one value, sealed at ``place``.

        :raises KeyRingError: the key is not in the ring.
        :raises NotSealedHere: the value was changed or sealed elsewhere.
        """
        key = self._keys.get(sealed[0])
        if key is None:
            raise KeyRingError(f"The key ring has no key number {sealed[0]}; put the ring that sealed the rows back.")
        try:
            return key.decrypt(sealed[1:_HEAD], sealed[_HEAD:], place)
        except Exception as error:
            raise NotSealedHere(
                f"A value of {self._context} cannot be opened: it was changed or sealed elsewhere."
            ) from error

    def open_many(self, values: Sequence[bytes], places: Sequence[bytes]) -> list[bytes]:
        """Decrypt a batch of values, each sealed at its place.

        :raises KeyRingError: as :meth:`open` does, at the first value that cannot be opened.
        """
        decrypt, number = self._current.decrypt, self._prefix[0]
        try:
            return [
                decrypt(sealed[1:_HEAD], sealed[_HEAD:], place) if sealed[0] == number else self.open(sealed, place)
                for sealed, place in zip(values, places, strict=True)
            ]
        except InvalidTag:  # says which one it is
            return [self.open(sealed, place) for sealed, place in zip(values, places, strict=True)]


class KeyRing:
    """The keys of this installation.

    The file is JSON: ``{"current": 1, "keys": {"1": <base64 of 32 bytes>}, "index": <base64 of 32 bytes>}``. Rotation
    adds a key and moves ``current``; old keys stay until no row needs them. The index key never changes.
    """

    def __init__(self, keys: dict[int, bytes], current: int, index: bytes) -> None:
        if current not in keys:
            raise KeyRingError(f"The key ring's current key {current} is not among its keys.")
        self._keys, self._current, self._index = keys, current, index

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read the ring.

        :raises KeyRingError: the file is missing or is not a key ring.
        """
        try:
            body = json.loads(path.read_text(encoding="ascii"))
            keys = {int(number): base64.b64decode(key, validate=True) for number, key in body["keys"].items()}
            return cls(keys, int(body["current"]), base64.b64decode(body["index"], validate=True))
        except FileNotFoundError as error:
            raise KeyRingError(f"There is no key ring at {path}; set BONGSU_KEYRING to the one in use.") from error
        except (ValueError, KeyError, AttributeError) as error:
            raise KeyRingError(f"{path} is not a key ring: {error}") from error

    @classmethod
    def create(cls, path: Path) -> "KeyRing":
        """Make a new ring with one key; never overwrites one."""
        body = {
            "current": 1,
            "keys": {"1": base64.b64encode(os.urandom(32)).decode()},
            "index": base64.b64encode(os.urandom(32)).decode(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(body, file)
        return cls.load(path)

    def rotated(self, path: Path) -> "KeyRing":
        """Add a key, make it the current one and write the ring back, atomically."""
        number = max(self._keys) + 1
        keys = {**self._keys, number: os.urandom(32)}
        body = {
            "current": number,
            "keys": {str(n): base64.b64encode(k).decode() for n, k in keys.items()},
            "index": base64.b64encode(self._index).decode(),
        }
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(body, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return KeyRing.load(path)

    def cipher(self, context: str) -> Cipher:
        """The cipher of a context such as ``run:12``."""

        def derived(key: bytes) -> AESGCM:
            return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=context.encode()).derive(key))

        return Cipher({number: derived(key) for number, key in self._keys.items()}, self._current, context)

    def blind_index(self, value: str, domain: str = "") -> bytes:
        """Keyed BLAKE2b of ``value``, 16 bytes: equal values have equal indexes, and nothing else can be told.

        :param domain: what kind of value it is, at most 16 bytes; indexes of two domains never compare equal. The plain
            domain is that of whole phone numbers.
        """
        return blake2b(value.encode(), digest_size=INDEX_BYTES, key=self._index, person=domain.encode()).digest()

    def blind_indexes(self, values: Iterable[bytes]) -> list[bytes]:
        """:meth:`blind_index` of every value of a batch, given in UTF-8."""
        keyed = blake2b(digest_size=INDEX_BYTES, key=self._index)
        indexes = []
        for value in values:
            one = keyed.copy()
            one.update(value)
            indexes.append(one.digest())
        return indexes

    @property
    def index_key(self) -> bytes:
        """Key of :meth:`blind_index`, for loops that index a batch."""
        return self._index


@cache
def key_ring(path: Path) -> KeyRing:
    """The ring at ``path``, read once a process."""
    return KeyRing.load(path)

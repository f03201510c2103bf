"""AES-256-GCM with a key ring, and a keyed blind index.

A ciphertext is ``key number (1 byte) + nonce (12) + sealed data and tag``. Each context (a run, a table) has its own
data key, derived from the ring's key by HKDF, so that random nonces stay far below their limit of 2³² a key. A value
may be bound to its place in the context (associated data): moved elsewhere, it does not open.
"""

import base64
import json
import os
import re
import stat
from collections.abc import Iterable, Sequence
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
KEY_BYTES, MOST_KEYS = 32, 255
KEY_CHECK = "key check"
"""What check values are made for; no context and no domain has this name."""
NOBODY = 65534
"""Owner that the kernel names where a container's user namespace has no name for the true one."""

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

    :raises KeyRingError: a key is not one; no error repeats what the file holds.
    """

    def __init__(self, keys: dict[int, bytes], current: int, index: bytes) -> None:
        for number in keys:
            if not 1 <= number <= MOST_KEYS:
                raise KeyRingError(f"key number {number} is not between 1 and {MOST_KEYS}")
        for name, key in [*((f"key {number}", key) for number, key in keys.items()), ("the index key", index)]:
            if len(key) != KEY_BYTES or not any(key):
                raise KeyRingError(f"{name} is not {KEY_BYTES} bytes, or all of them are zero")
        if current not in keys:
            raise KeyRingError(f"the current key {current} is not among its keys")
        self._keys, self._current, self._index = keys, current, index

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read the ring. Product code opens it by :func:`include.privacy.ring.open_ring`, which asks the store, too.

        :raises KeyRingError: the file is missing, is not a key ring, or others can read or change it.
        """
        try:
            with path.open("rb") as file:
                _check_private(path, os.fstat(file.fileno()))
                content = file.read()
        except FileNotFoundError as error:
            raise KeyRingError(
                f"There is no key ring at {path}. Nothing can be sent without it: put the one in use back, "
                "or name it with BONGSU_KEYRING."
            ) from error
        try:
            return cls(*_parse(content))
        except KeyRingError as error:
            # without the error that led here: a decoder's error holds the whole text
            raise KeyRingError(f"{path} is not a key ring: {error}. Put a good copy of it back.") from None

    @classmethod
    def create(cls, path: Path) -> "KeyRing":
        """Make a new ring with one key; never overwrites one.

        :raises FileExistsError: there is a file already.
        """
        ring = cls({1: os.urandom(KEY_BYTES)}, 1, os.urandom(KEY_BYTES))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = ring._draft(path)
        try:
            # a link never replaces a file, and the name appears with the whole content
            os.link(draft, path)
        finally:
            draft.unlink()
        return cls.load(path)

    def write(self, path: Path) -> None:
        """Replace the ring's file, at once; owner and group stay those of the file before."""
        path = path.resolve()  # a link to the file stays a link
        before = path.stat()
        draft = self._draft(path)
        try:
            if (before.st_uid, before.st_gid) != (draft.stat().st_uid, draft.stat().st_gid):
                os.chown(draft, before.st_uid, before.st_gid)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _draft(self, path: Path) -> Path:
        """A new file beside ``path`` with the ring in it, on the disk."""
        body = {
            "current": self._current,
            "keys": {str(number): base64.b64encode(key).decode() for number, key in self._keys.items()},
            "index": base64.b64encode(self._index).decode(),
        }
        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(body, file)
            file.flush()
            os.fsync(file.fileno())
        return draft

    def rotated(self) -> "KeyRing":
        """This ring with one more key, which is the current one.

        :raises KeyRingError: there is no number left.
        """
        number = max(self._keys) + 1
        return KeyRing({**self._keys, number: os.urandom(KEY_BYTES)}, number, self._index)

    @property
    def current(self) -> int:
        """Number of the key that seals."""
        return self._current

    def check_values(self) -> dict[int, bytes]:
        """What the store may know of each key, 16 bytes by its number; the index key stands under 0.

        They tell whether two keys are the same and nothing else: they are derived from the keys like all that is used
        of them, for a purpose of their own.
        """
        checks = {number: _derived(key, KEY_CHECK, INDEX_BYTES) for number, key in self._keys.items()}
        return {0: self.blind_index("", KEY_CHECK), **checks}

    def cipher(self, context: str) -> Cipher:
        """The cipher of a context such as ``run:12``."""
        derived = {number: AESGCM(_derived(key, context, KEY_BYTES)) for number, key in self._keys.items()}
        return Cipher(derived, self._current, context)

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


def _derived(key: bytes, purpose: str, length: int) -> bytes:
    """A key of its own for each purpose."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose.encode()).derive(key)


def _check_private(path: Path, status: os.stat_result) -> None:
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyRingError(f"Others can read or change the key ring {path}. Close it with: chmod 600 {path}")
    # Whoever is not root and could open another's private file looks at a volume that names no true owners.
    if os.geteuid() == 0 and status.st_uid not in (0, NOBODY):
        raise KeyRingError(
            f"The key ring {path} belongs to another user, who can change it. Take it: chown root {path}"
        )


def _parse(content: bytes) -> tuple[dict[int, bytes], int, bytes]:
    """Keys by their numbers, the current one's number and the index key, as the file's JSON has them."""
    try:
        body = json.loads(content.decode("ascii"))
    except ValueError:
        raise KeyRingError("its content is not JSON") from None
    if not isinstance(body, dict) or set(body) != {"current", "keys", "index"}:
        raise KeyRingError('it is not an object of "current", "keys" and "index"')
    keys, current = body["keys"], body["current"]
    if not isinstance(keys, dict) or not all(re.fullmatch("[1-9][0-9]{0,2}", number, re.ASCII) for number in keys):
        raise KeyRingError('"keys" does not give each key by its number')
    if type(current) is not int:
        raise KeyRingError('"current" is not a key\'s number')
    decoded = {int(number): _decode(key, f"key {number}") for number, key in keys.items()}
    return decoded, current, _decode(body["index"], "the index key")


def _decode(key: object, name: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True) if isinstance(key, str) else b""
    except ValueError:
        raise KeyRingError(f"{name} is not base64") from None

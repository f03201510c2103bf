"""The key ring's file is checked before a key of it is used, and its check values tell rings apart."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from include.privacy.cipher import KeyRing, KeyRingError
from include.privacy.ring import KeyCheck, difference
from include.settings import ROOT

KEY, INDEX = bytes(range(1, 33)), bytes(range(101, 133))


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


def ring_file(path: Path, body: object) -> Path:
    path.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    path.chmod(0o600)
    return path


def body(**changes: Any) -> dict[str, Any]:
    return {"current": 1, "keys": {"1": encoded(KEY)}, "index": encoded(INDEX), **changes}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (body(keys={"1": "AAAA"}), "key 1 is not 32 bytes"),
        (body(keys={"1": encoded(bytes(32))}), "key 1 is not 32 bytes, or all of them are zero"),
        (body(keys={"1": encoded(KEY + b"x")}), "key 1 is not 32 bytes"),
        (body(index=""), "the index key is not 32 bytes"),
        (body(index=encoded(bytes(32))), "the index key is not 32 bytes, or all of them are zero"),
        (body(index=None), "the index key is not 32 bytes"),
        (body(current=2), "the current key 2 is not among"),
        (body(current="1"), '"current" is not a key\'s number'),
        (body(current=True), '"current" is not a key\'s number'),
        (body(current=256, keys={"256": encoded(KEY)}), "key number 256"),
        (body(keys={"0": encoded(KEY)}), '"keys" does not give'),
        (body(keys={"1": encoded(KEY), "01": encoded(KEY)}), '"keys" does not give'),
        (body(keys=[encoded(KEY)]), '"keys" does not give'),
        (body(keys={}), "the current key 1 is not among"),
        (body(keys={"1": "not base64 at all!"}), "key 1 is not base64"),
        ([encoded(KEY)], "it is not an object"),
        (encoded(KEY), "its content is not JSON"),
        ('"text"', "it is not an object"),
        ("{", "its content is not JSON"),
        ("", "its content is not JSON"),
        ("열쇠", "its content is not JSON"),
        ({"current": 1, "keys": {"1": encoded(KEY)}}, "it is not an object"),
    ],
)
def test_a_broken_ring_is_named_and_none_of_its_keys_is_shown(tmp_path: Path, content: object, problem: str) -> None:
    path = ring_file(tmp_path / "ring.json", content)
    with pytest.raises(KeyRingError) as raised:
        KeyRing.load(path)
    message = str(raised.value)
    assert message.startswith(f"{path} is not a key ring: ")
    assert problem in message
    assert encoded(KEY) not in message
    assert encoded(INDEX) not in message
    assert raised.value.__suppress_context__, "an error of the decoder would show the content below ours"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602, 0o777])
def test_a_ring_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = ring_file(tmp_path / "ring.json", body())
    path.chmod(mode)
    with pytest.raises(KeyRingError, match=f"chmod 600 {path}"):
        KeyRing.load(path)
    path.chmod(0o400)
    assert KeyRing.load(path).current == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_ring_of_another_user_is_refused(tmp_path: Path) -> None:
    path = ring_file(tmp_path / "ring.json", body())
    os.chown(path, 4711, -1)
    with pytest.raises(KeyRingError, match="belongs to another user"):
        KeyRing.load(path)


def test_a_new_ring_appears_whole_and_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "ring.json"
    ring = KeyRing.create(path)
    with pytest.raises(FileExistsError):
        KeyRing.create(path)
    assert KeyRing.load(path).check_values() == ring.check_values()
    assert [file.name for file in path.parent.iterdir()] == ["ring.json"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_written_ring_keeps_its_owner_and_its_link(tmp_path: Path) -> None:
    true = tmp_path / "true.json"
    ring = KeyRing.create(true)
    link = tmp_path / "ring.json"
    link.symlink_to(true)
    if os.geteuid() == 0:
        os.chown(true, 4711, 4712)
    before = true.stat()
    ring.rotated().write(link)
    after = true.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert link.is_symlink()


def test_numbers_of_keys_end_at_255() -> None:
    full = KeyRing({255: KEY}, 255, INDEX)
    with pytest.raises(KeyRingError, match="key number 256"):
        full.rotated()


def test_check_values_belong_to_their_keys_and_are_nothing_that_is_stored() -> None:
    ring = KeyRing({1: KEY, 7: os.urandom(32)}, 1, INDEX)
    checks = ring.check_values()
    assert checks.keys() == {0, 1, 7}
    assert {len(check) for check in checks.values()} == {16}
    assert len(set(checks.values())) == 3
    assert checks[1] == KeyRing({1: KEY}, 1, os.urandom(32)).check_values()[1]
    assert checks[0] != ring.blind_index("")
    assert not any(check in KEY + INDEX for check in checks.values())


@pytest.mark.parametrize(
    ("ring", "known", "problem"),
    [
        ({0: b"i", 1: b"a"}, [(0, b"i", True), (1, b"a", True)], None),
        ({0: b"x", 1: b"a"}, [(0, b"i", True), (1, b"a", True)], "its index key is another"),
        ({0: b"i", 1: b"x"}, [(0, b"i", True), (1, b"a", True)], "its key 1 is another"),
        ({0: b"i", 1: b"a"}, [(0, b"i", True), (1, b"a", True), (2, b"b", True)], "it lacks key 2"),
        ({0: b"i", 1: b"a", 2: b"b"}, [(0, b"i", True), (1, b"a", True)], "the store does not know its key 2"),
        ({0: b"i", 1: b"a"}, [], "the store knows no keys"),
        # while a rotation puts key 2 into the ring, workers may hold either
        ({0: b"i", 1: b"a"}, [(0, b"i", True), (1, b"a", True), (2, b"b", False)], None),
        ({0: b"i", 1: b"a", 2: b"b"}, [(0, b"i", True), (1, b"a", True), (2, b"b", False)], None),
        ({0: b"i", 1: b"a", 2: b"x"}, [(0, b"i", True), (1, b"a", True), (2, b"b", False)], "its key 2 is another"),
    ],
)
def test_a_ring_is_the_stores_or_is_told_apart(
    ring: dict[int, bytes], known: list[tuple[int, bytes, bool]], problem: str | None
) -> None:
    found = difference(ring, [KeyCheck(*check) for check in known])
    assert found == problem if problem is None else found is not None and found.startswith(problem)


def test_product_code_has_no_other_way_to_a_ring() -> None:
    opened = {
        str(path.relative_to(ROOT))
        for room in ("include", "operators", "hooks", "dags", "plugins")
        for path in (ROOT / room).rglob("*.py")
        if "KeyRing.load(" in (text := path.read_text(encoding="utf-8")) or "KeyRing.create(" in text
    }
    assert opened == {"include/privacy/ring.py"}

"""A lost ring, an old copy or another one's is refused before it is used, and a rotation refuses nobody."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from include.delivery.line_connection import connect_line
from include.embedded.client import board_of, ensure
from include.embedded.seed import seed
from include.embedded.state import Home, Level
from include.privacy.cipher import KeyRing, KeyRingError
from include.privacy.ring import known_keys, open_ring, prepare_ring, rotate
from include.settings import ROOT, settings
from include.store import connect
from include.store_migrations import upgrade
from tests.conftest import own_home
from tests.store.conftest import Make
from tests.support import Databases, numbers, own_files, write_csv

pytestmark = pytest.mark.services

SUPPRESSED = "INSERT INTO suppressions (tenant_id, phone_index, reason, source) VALUES (1, 'x', 'opted_out', 'test')"


@pytest.fixture
def owner(empty_store: str) -> Iterator[psycopg.Connection]:
    """The owner's connection to a new store with its first tenant; it knows no keys yet."""
    upgrade(empty_store)
    seed(empty_store)
    with connect(empty_store) as connection:
        yield connection


@pytest.fixture
def path(owner: psycopg.Connection, tmp_path: Path) -> Path:
    """The ring that the store of ``owner`` was prepared with."""
    path = tmp_path / "ring.json"
    prepare_ring(owner, path)
    return path


def fill(owner: psycopg.Connection) -> None:
    owner.execute(SUPPRESSED)
    owner.commit()


def test_a_lost_ring_of_a_store_with_rows_is_never_made_anew(owner: psycopg.Connection, path: Path) -> None:
    fill(owner)
    path.rename(path.with_suffix(".away"))
    for use in (prepare_ring, open_ring):
        with pytest.raises(KeyRingError, match="Nothing can be sent without it"):
            use(owner, path)
    assert not path.exists()
    path.with_suffix(".away").rename(path)
    prepare_ring(owner, path)
    assert open_ring(owner, path).current == 1


def test_another_ring_is_refused_at_every_use(owner: psycopg.Connection, path: Path) -> None:
    fill(owner)
    path.unlink()
    KeyRing.create(path)
    for use in (prepare_ring, open_ring, rotate):
        with pytest.raises(KeyRingError, match=r"index key is another\. Nothing is sent with it: put the ring back"):
            use(owner, path)


def test_a_store_with_rows_that_knows_no_keys_takes_no_ring(owner: psycopg.Connection, tmp_path: Path) -> None:
    fill(owner)
    KeyRing.create(tmp_path / "ring.json")
    for file in ("ring.json", "none.json"):
        with pytest.raises(KeyRingError, match="does not know the keys"):
            prepare_ring(owner, tmp_path / file)
    assert not (tmp_path / "none.json").exists()


def test_a_store_without_rows_takes_the_ring_that_is_put_back(owner: psycopg.Connection, path: Path) -> None:
    """Whoever restores on a new machine may have started it before the old ring was in its place."""
    path.unlink()
    with pytest.raises(KeyRingError):
        prepare_ring(owner, path)
    KeyRing.create(path)
    prepare_ring(owner, path)
    assert open_ring(owner, path).check_values() == {check.key_no: check.check_value for check in known_keys(owner)}


def test_the_application_cannot_make_the_store_know_a_key(databases: Databases) -> None:
    for url in (databases.store_url, databases.platform_url):
        for change in ("DELETE FROM key_checks", "UPDATE key_checks SET required = false"):
            with connect(url) as store, pytest.raises(psycopg.errors.InsufficientPrivilege):
                store.execute(change.encode())


def test_an_old_copy_of_a_rotated_ring_is_refused(owner: psycopg.Connection, path: Path) -> None:
    before = path.read_bytes()
    assert rotate(owner, path) == 2
    assert open_ring(owner, path).current == 2
    log = owner.execute("SELECT action, detail, role FROM audit_log").fetchall()
    assert log == [("key rotated", {"key": 2}, "bongsu_owner")]
    path.write_bytes(before)
    with pytest.raises(KeyRingError, match="it lacks key 2, so it is a copy from before a rotation"):
        open_ring(owner, path)


def test_a_rotation_that_ends_before_the_ring_is_written_refuses_nobody(owner: psycopg.Connection, path: Path) -> None:
    blocked = path.with_name(f".{path.name}.{os.getpid()}.new")
    blocked.mkdir()
    with pytest.raises(OSError, match=blocked.name):
        rotate(owner, path)
    blocked.rmdir()
    assert [check.required for check in known_keys(owner)] == [True, True, False]
    assert open_ring(owner, path).current == 1
    assert rotate(owner, path) == 2
    assert open_ring(owner, path).current == 2
    assert [check.required for check in known_keys(owner)] == [True, True, True]


def test_a_rotation_that_ends_after_the_ring_is_written_is_finished_by_the_next(
    empty_store: str, owner: psycopg.Connection, path: Path
) -> None:
    owner.execute("SET lock_timeout = '200ms'")
    owner.commit()
    with connect(empty_store) as other:
        other.execute("LOCK TABLE audit_log IN EXCLUSIVE MODE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            rotate(owner, path)
    assert open_ring(owner, path).current == 2
    assert [check.required for check in known_keys(owner)] == [True, True, False]
    assert rotate(owner, path) == 2
    assert [check.required for check in known_keys(owner)] == [True, True, True]
    assert rotate(owner, path) == 3


def test_workers_open_the_ring_while_it_is_rotated(empty_store: str, owner: psycopg.Connection, path: Path) -> None:
    over, refusals, opened = threading.Event(), [], set[int]()

    def work() -> None:
        with connect(empty_store) as store:
            while not over.is_set():
                try:
                    opened.add(open_ring(store, path).current)
                except KeyRingError as error:
                    refusals.append(str(error))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for _ in range(10):
        rotate(owner, path)
    over.set()
    for worker in workers:
        worker.join()
    assert refusals == []
    assert opened


def test_what_a_command_does_with_another_ring_changes_nothing(
    databases: Databases, make: Make, tmp_path: Path
) -> None:
    campaign = make(3)
    campaign.send()
    slug = campaign.value("SELECT slug FROM tenants WHERE tenant_id = %s", campaign.tenant_id)
    refused = write_csv(tmp_path / "out.csv", ("phone",), [(number,) for number in numbers(3)])
    # installations elsewhere are not prepared by a command, so the command itself has to notice
    environment = {**os.environ, **databases.environment, "BONGSU_HOME": str(tmp_path / "elsewhere")}
    environment["BONGSU_KEYRING"] = str(tmp_path / "other.json")
    KeyRing.create(tmp_path / "other.json")
    for words in (["suppress", str(refused), "--tenant", slug], ["audit", str(campaign.run.run_id)]):
        command = [sys.executable, "-m", "include.cli", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert "is not the one of this campaign store: its index key is another" in done.stderr
    assert campaign.value("SELECT count(*) FROM suppressions WHERE tenant_id = %s", campaign.tenant_id) == 0


@pytest.mark.slow
def test_people_who_opted_out_are_not_written_to_when_the_ring_is_lost(tmp_path: Path) -> None:
    """As a user does it: an opt-out list, a run, the ring's file away, and the run again."""
    with own_home("keys") as home:
        lose_the_ring(home, tmp_path)


def lose_the_ring(home: Home, tmp_path: Path) -> None:
    people = write_csv(tmp_path / "people.csv", ("phone", "name"), [(number, "김철수") for number in numbers(2)])
    refused = write_csv(tmp_path / "refused.csv", ("phone",), [(numbers(2)[0],)])
    definition = tmp_path / "lost-ring.yaml"
    definition.write_text(
        "tenant: acme\nslug: lost-ring\ntitle: t\npurpose: advertising\n"
        f"audience: {{file: {people}, columns: {{phone: phone, name: name}}}}\n"
        "message: {channel: sms, sender: '0212345678', text: '(광고) [ACME] {{name}} 무료수신거부 080-123-4567'}\n"
        "schedule: {}\n",
        encoding="utf-8",
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BONGSU_", "AIRFLOW_"))}
    environment = {**clean, "BONGSU_HOME": str(home.path), "BONGSU_POLL_SECONDS": "1", "BONGSU_QUIET_HOURS": "off"}
    environment |= own_files(home.path / "customer-files", tmp_path)

    def bongsu(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "include.cli", *map(str, words)]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    def handed_over() -> list[int]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BONGSU_HOME", str(home.path))
            patch.delenv("BONGSU_STORE_URL", raising=False)
            settings.cache_clear()
            with (
                ensure(Level.databases, lambda line: None),
                connect_line(settings().line_url) as line,
                line.cursor() as cursor,
            ):
                cursor.execute("SELECT row_count FROM BONGSU_HANDOVER")
                rows = [count for (count,) in cursor.fetchall()]
        settings.cache_clear()
        return rows

    try:
        assert bongsu("suppress", refused, "--tenant", "acme", "--opted-out").returncode == 0
        first = bongsu("run", definition, "--in-process")
        assert first.returncode == 0, first.stderr
        assert "excluded                      1\n  opted_out                   1\n" in first.stdout
        bongsu("down")
        away = home.keyring.rename(tmp_path / "away.json")
        second = bongsu("run", definition, "--in-process")
        assert (second.returncode, second.stdout) == (1, "")
        assert f"There is no key ring at {home.keyring}. Nothing can be sent without it" in second.stderr
        assert not home.keyring.exists()
        bongsu("down")
        shutil.move(away, home.keyring)
        assert handed_over() == [1]
    finally:
        if board_of(home):
            bongsu("down")

"""The state directory: ports that stay, secrets that are private, files that are never half written."""

import json
import multiprocessing
import os
import socket
from pathlib import Path

import pytest

from include.embedded.client import is_elsewhere
from include.embedded.state import (
    MAX_SOCKET_PATH,
    PORTS,
    Home,
    choose_ports,
    is_locked,
    load_secrets,
    shared_lock,
    try_lock,
    write_json,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_ports_stay_the_same_from_start_to_start(home: Home) -> None:
    first = choose_ports(home)
    assert set(first) == set(PORTS)
    assert len(set(first.values())) == len(PORTS)
    assert choose_ports(home) == first


def test_a_port_that_somebody_took_is_chosen_anew_and_the_others_stay(home: Home) -> None:
    first = choose_ports(home)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first["mariadb"]))
        other.listen()
        second = choose_ports(home)
    assert second["mariadb"] not in first.values()
    assert {**second, "mariadb": 0} == {**first, "mariadb": 0}


def test_secrets_are_made_once_and_nobody_else_may_read_them(home: Home) -> None:
    first = load_secrets(home)
    assert load_secrets(home) == first
    assert (home.path / "secrets.json").stat().st_mode & 0o077 == 0
    assert len(set(first.values())) == len(first)


def test_unreadable_secrets_are_not_replaced(home: Home) -> None:
    (home.path / "secrets.json").write_text("{")
    with pytest.raises(RuntimeError, match="restore it"):
        load_secrets(home)


def test_a_replaced_file_leaves_no_draft_behind(home: Home) -> None:
    write_json(home.endpoints, {"a": 1})
    write_json(home.endpoints, {"a": 2})
    assert json.loads(home.endpoints.read_text()) == {"a": 2}
    assert [path.name for path in home.path.iterdir()] == ["endpoints.json"]


def test_a_socket_path_is_short_enough_even_for_a_deep_home(tmp_path: Path) -> None:
    deep = Home(tmp_path / ("x" * 90) / ("y" * 90))
    other = Home(tmp_path / ("x" * 90) / ("z" * 90))
    assert len(str(deep.socket("mariadb.sock"))) <= MAX_SOCKET_PATH
    assert deep.socket("mariadb.sock") != other.socket("mariadb.sock")


def _hold(path: Path, holding: "multiprocessing.synchronize.Event") -> None:
    with shared_lock(path):
        holding.set()
        multiprocessing.Event().wait(60)


def test_the_kernel_releases_the_lock_of_a_killed_process(home: Home) -> None:
    context = multiprocessing.get_context("spawn")
    holding = context.Event()
    client = context.Process(target=_hold, args=(home.clients_lock, holding))
    client.start()
    try:
        assert holding.wait(30)
        assert try_lock(home.clients_lock, shared=False) is None
        assert not is_locked(home.clients_lock), "a shared lock must not look like an exclusive one"
    finally:
        client.kill()
        client.join()
    descriptor = try_lock(home.clients_lock, shared=False)
    assert descriptor is not None
    assert is_locked(home.clients_lock)
    os.close(descriptor)


@pytest.mark.parametrize(
    ("url", "elsewhere"),
    [
        ("", False),
        ("postgresql://bongsu_app:{own}@127.0.0.1:5/bongsu", False),
        ("postgresql://bongsu_app:{own}@db.example:5/bongsu", True),
        ("postgresql://bongsu_app:other@127.0.0.1:5/bongsu", True),
    ],
)
def test_services_are_started_unless_the_environment_points_elsewhere(
    home: Home, monkeypatch: pytest.MonkeyPatch, url: str, elsewhere: bool
) -> None:
    monkeypatch.setenv("BONGSU_STORE_URL", url.format(own=load_secrets(home)["bongsu_app"]))
    assert is_elsewhere(home) is elsewhere

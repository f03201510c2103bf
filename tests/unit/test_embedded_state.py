"""The state directory: ports that stay, secrets that are private, files that are never half written."""

import json
import multiprocessing
import os
import socket
from pathlib import Path

import pytest

from include.cli.services import moved
from include.embedded.client import is_elsewhere
from include.embedded.state import (
    MAX_SOCKET_PATH,
    PORTS,
    Home,
    choose_ports,
    is_locked,
    load_secrets,
    private_folder,
    shared_lock,
    try_lock,
    write_json,
)
from include.errors import BongsuError, Unavailable


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


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_state_directory_is_for_its_user_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir(mode=0o755)
    home.logs.mkdir(mode=0o755)
    load_secrets(home)
    home.create()
    assert mode(home.path) & 0o066 == 0, "others may pass at most, and that only where root lends a user"
    write_json(home.endpoints, {})
    choose_ports(home)
    with shared_lock(home.clients_lock):
        pass
    home.socket("agents.sock")
    for path in home.path.iterdir():
        assert mode(path) & 0o077 == 0, path


def test_a_folder_that_is_used_otherwise_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "somebody's.txt").touch()
    tmp_path.chmod(0o755)
    Home(tmp_path).create()
    assert mode(tmp_path) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_state_directory_of_another_user_is_refused_in_one_sentence(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(BongsuError, match=r"belongs to \S+\. Work as that user"):
        Home(tmp_path).create()


def test_a_folder_for_sockets_that_somebody_has_put_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(BongsuError, match="is not a folder of"):
        private_folder(tmp_path / "link")


def test_a_lock_that_others_could_hold_is_closed_to_them(home: Home) -> None:
    home.clients_lock.touch(mode=0o666)
    home.clients_lock.chmod(0o666)
    with shared_lock(home.clients_lock):
        assert mode(home.clients_lock) == 0o600


def test_a_lock_that_somebody_holds_does_not_stop_a_command_for_ever(home: Home) -> None:
    held = try_lock(home.clients_lock, shared=False)
    assert held is not None
    try:
        with (
            pytest.raises(Unavailable, match=r"has held .*clients\.lock for 0 s.*fuser"),
            shared_lock(home.clients_lock, 0.2),
        ):
            pass
    finally:
        os.close(held)


def test_airflow_gets_the_port_that_it_shall_have(home: Home) -> None:
    first = choose_ports(home)
    wanted = first["mariadb"]
    second = choose_ports(home, wanted)
    assert second["airflow"] == wanted
    assert len(set(second.values())) == len(PORTS)
    assert choose_ports(home)["airflow"] == wanted, "it stays when the setting is gone"


def test_a_port_that_airflow_shall_have_and_somebody_else_has_is_refused(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BongsuError, match=f"BONGSU_AIRFLOW_PORT is {port}, but another program"):
            choose_ports(home, port)
    assert not home.ports.exists()


def test_another_address_than_last_time_is_said() -> None:
    assert moved({"ports": {"airflow": 5}, "airflow_port_before": None}) == ""
    assert moved({"ports": {"airflow": 5}, "airflow_port_before": 5}) == ""
    assert "not port 4 as last time" in moved({"ports": {"airflow": 5}, "airflow_port_before": 4})

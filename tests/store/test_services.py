"""The embedded services under a violent hand: whatever is killed, nothing stays behind or blocks the next start."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from include.embedded.client import board_of, service_environment
from include.embedded.processes import ROOT, end_session, left_over, spawn
from include.embedded.state import Home, is_locked, read_json

pytestmark = [pytest.mark.services, pytest.mark.slow]

GONE_SECONDS = 120.0
# A shell starts background jobs deaf to Ctrl-C; the client hears it however the tests were started.
CLIENT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from include.embedded.client import ensure
from include.embedded.state import Level
with ensure(Level.databases, lambda line: print(line, file=sys.stderr, flush=True)) as services:
    from include.settings import settings
    from include.store import connect
    with connect(settings().platform_url) as store:
        print("tenants", store.execute("SELECT count(*) FROM tenants").fetchone()[0], flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A state directory of its own; the databases in it are made once.

    It is not below pytest's own folder: another pytest that starts closes that to the server's system user.
    """
    (parent := ROOT / ".bongsu" / "test").mkdir(parents=True, exist_ok=True)
    home = Home(Path(tempfile.mkdtemp(prefix="services-", dir=parent)))
    yield home
    if pid := board_of(home).get("supervisor"):
        os.kill(pid, signal.SIGTERM)
        assert wait_until(lambda: not is_locked(home.supervisor_lock), GONE_SECONDS)
    home.remove()


def environment(home: Home) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BONGSU_", "AIRFLOW_"))}
    return {**clean, "BONGSU_HOME": str(home.path), "PYTHONPATH": str(ROOT)}


@contextmanager
def client(home: Home, seconds: float = 120) -> Iterator[subprocess.Popen[str]]:
    """A command that has the databases and holds them."""
    command = [sys.executable, "-c", CLIENT, str(seconds)]
    process = subprocess.Popen(command, env=environment(home), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "tenants 1\n"
        yield process
    finally:
        process.kill()
        process.wait()


def bongsu(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "include.cli", *arguments]
    return subprocess.run(command, env=environment(home), cwd=ROOT, capture_output=True, text=True, timeout=120)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.1)
    return True


def processes_in(home: Home) -> list[str]:
    """Every process of the home: found by the marker, or by an argument that names it."""
    marked = {process.pid for process in left_over(home.path)}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # gone meanwhile, or a zombie that waits for its parent
            words = process.cmdline()
            if process.pid in marked or any(str(home.path) in word for word in words):
                found.append(" ".join(words))
    return found


def test_a_killed_command_leaves_nothing_running(home: Home) -> None:
    with client(home) as command:
        assert any("postgres" in line for line in processes_in(home))
        command.kill()
        command.wait()
        assert wait_until(lambda: not processes_in(home), GONE_SECONDS), processes_in(home)
    assert not home.endpoints.exists()


def test_ctrl_c_leaves_nothing_running(home: Home) -> None:
    with client(home) as command:
        command.send_signal(signal.SIGINT)
        command.wait(GONE_SECONDS)
        assert wait_until(lambda: not processes_in(home), GONE_SECONDS), processes_in(home)


def test_a_killed_supervisor_takes_the_services_along_and_the_next_start_works(home: Home) -> None:
    with client(home):
        os.kill(board_of(home)["supervisor"], signal.SIGKILL)
        assert wait_until(lambda: not processes_in(home), GONE_SECONDS), processes_in(home)
        with client(home):
            pass


def test_left_over_servers_do_not_block_the_next_start(home: Home) -> None:
    with client(home):
        board = board_of(home)
        servers = [psutil.Process(board["services"][name]["pid"]) for name in ("postgres", "mariadb")]
        # Stopped processes cannot follow the signal that the supervisor's death sends them.
        for server in servers:
            server.suspend()
        os.kill(board["supervisor"], signal.SIGKILL)
        try:
            with client(home):
                assert not any(server.is_running() for server in servers)
        finally:
            for server in servers:
                if server.is_running():
                    server.resume()


def test_a_service_that_dies_is_started_again(home: Home) -> None:
    with client(home):
        before = board_of(home)["services"]["mariadb"]["pid"]
        os.kill(before, signal.SIGKILL)

        def is_back() -> bool:
            service = board_of(home)["services"]["mariadb"]
            return bool(service["state"] == "ready" and service["pid"] != before)

        assert wait_until(is_back, GONE_SECONDS)
    assert "mariadb ended with" in home.log("supervisor").read_text()


def test_a_killed_postgres_is_back_although_a_statement_of_it_is_still_running(home: Home) -> None:
    import psycopg

    # Nothing in it ever waits, so its process does not notice by itself that the server is gone.
    busy = "DO $$ DECLARE i bigint := 0; BEGIN WHILE i < 100000000000 LOOP i := i + 1; END LOOP; END $$"
    with client(home):
        before = board_of(home)["services"]["postgres"]["pid"]
        values = service_environment(home, read_json(home.endpoints)["ports"])
        store = psycopg.connect(values["BONGSU_OWNER_URL"])
        threading.Timer(1.0, os.kill, (before, signal.SIGKILL)).start()
        with pytest.raises(psycopg.OperationalError):
            store.execute(busy)
        store.close()
        assert wait_until(
            lambda: state_of(home, "postgres") == "ready" and pid_of(home, "postgres") != before, GONE_SECONDS
        )
        with psycopg.connect(values["BONGSU_STORE_URL"]) as store:
            assert store.execute("SELECT 1").fetchone() == (1,)


def test_what_a_dead_service_leaves_is_killed_before_it_is_started_again(tmp_path: Path) -> None:
    """Also what went to a process group of its own, as a task of Airflow does."""
    worker = "import os, time; os.setpgid(0, 0); print(os.getpid(), flush=True); time.sleep(60)"
    leader = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {worker!r}]); time.sleep(60)"
    log = tmp_path / "log"
    service = spawn([sys.executable, "-c", leader], environment=dict(os.environ), log=log)
    assert wait_until(lambda: log.read_text().strip().isdigit(), GONE_SECONDS)
    left = psutil.Process(int(log.read_text()))
    service.kill()
    service.wait()
    assert left.is_running()
    assert end_session(service.pid) == 1
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
    assert end_session(service.pid) == 0


def state_of(home: Home, service: str) -> str:
    return str(board_of(home)["services"][service]["state"])


def pid_of(home: Home, service: str) -> int:
    return int(board_of(home)["services"][service]["pid"])


def test_services_that_are_kept_outlive_their_command_until_told_to_stop(home: Home) -> None:
    with client(home, 0) as command:
        home.keep.touch()
        command.wait(GONE_SECONDS)
    time.sleep(1.5)
    assert is_locked(home.supervisor_lock)
    with client(home, 0):
        pass
    assert bongsu(home, "status").returncode == 0
    stopped = bongsu(home, "down")
    assert stopped.returncode == 0, stopped.stderr
    assert not processes_in(home)
    assert bongsu(home, "status").returncode == 1


def test_env_prints_urls_that_answer_afterwards(home: Home) -> None:
    printed = bongsu(home, "env")
    assert printed.returncode == 0, printed.stderr
    values = dict(line.split("=", 1) for line in printed.stdout.splitlines())
    import psycopg

    with psycopg.connect(values["BONGSU_STORE_URL"]) as store:
        assert store.execute("SELECT current_user").fetchone() == ("bongsu_app",)
    assert bongsu(home, "down").returncode == 0


def test_passwords_are_neither_in_logs_nor_readable_by_others(home: Home) -> None:
    secrets = read_json(home.path / "secrets.json")
    for log in home.logs.iterdir():
        text = log.read_text(errors="replace")
        assert not any(secret in text for secret in secrets.values()), log
    private = [path for path in home.path.iterdir() if re.search(r"secret|keyring|account", path.name)]
    assert len(private) == 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)


def test_a_service_that_cannot_start_says_what_its_log_says(home: Home) -> None:
    version = home.path / "postgres" / "PG_VERSION"
    good = version.read_text()
    version.write_text("1\n")
    try:
        failed = bongsu(home, "env")
    finally:
        version.write_text(good)
    assert failed.returncode == 1
    assert "PostgreSQL ended with code" in failed.stderr
    assert "incompatible" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_deleted_state_directory_ends_its_services_and_no_others() -> None:
    (parent := ROOT / ".bongsu" / "test").mkdir(parents=True, exist_ok=True)
    home = Home(Path(tempfile.mkdtemp(prefix="services-", dir=parent)))
    with client(home):
        board = board_of(home)["services"]
        servers = [psutil.Process(board[name]["pid"]) for name in ("postgres", "mariadb")]
        remove_while_used(home.path)
        home.path.mkdir()
        with client(home):
            assert wait_until(lambda: not any(server.is_running() for server in servers), GONE_SECONDS)
            assert is_locked(home.supervisor_lock)
            assert board_of(home)["services"]["postgres"]["state"] == "ready"
    assert wait_until(lambda: not is_locked(home.supervisor_lock), GONE_SECONDS)
    home.remove()


def remove_while_used(folder: Path) -> None:
    """Remove a folder in which servers still make and remove files."""

    def is_gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    assert wait_until(is_gone, GONE_SECONDS)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to lend PostgreSQL a user")
def test_no_folder_above_the_state_directory_is_opened_for_postgres() -> None:
    with tempfile.TemporaryDirectory() as private:  # of mode 0700
        home = Home(Path(private) / "home")
        try:
            with client(home):
                assert (home.path / "postgres").readlink().is_relative_to("/var/lib")
            assert wait_until(lambda: not is_locked(home.supervisor_lock), GONE_SECONDS)
            with client(home):  # finds its data again
                assert Path(private).stat().st_mode & 0o777 == 0o700
            assert wait_until(lambda: not is_locked(home.supervisor_lock), GONE_SECONDS)
            elsewhere = (home.path / "postgres").readlink().parent
            shutil.rmtree(elsewhere)
            refused = bongsu(home, "env")
            assert refused.returncode == 1
            assert f"{elsewhere} is gone; it held PostgreSQL's files" in refused.stderr
            assert not elsewhere.exists()
        finally:
            home.remove()


def test_other_users_can_read_nothing_of_the_state_directory(home: Home) -> None:
    with client(home):
        assert home.path.stat().st_mode & 0o066 == 0
        open_to_others = [path for path in home.path.iterdir() if path.stat().st_mode & 0o077]
        assert open_to_others == []


def test_a_port_that_somebody_else_has_is_said_before_anything_starts(home: Home) -> None:
    assert wait_until(lambda: not is_locked(home.supervisor_lock), GONE_SECONDS), "the services of the test before"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "include.cli", "env"]
        values = {**environment(home), "BONGSU_AIRFLOW_PORT": str(port)}
        refused = subprocess.run(command, env=values, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 1
    assert f"Error: BONGSU_AIRFLOW_PORT is {port}, but another program of this machine" in refused.stderr
    assert not is_locked(home.supervisor_lock)


def test_a_start_on_another_airflow_port_than_last_time_is_noted(home: Home) -> None:
    with client(home):
        before = read_json(home.ports)["airflow"]
    assert wait_until(lambda: not is_locked(home.supervisor_lock), GONE_SECONDS)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before))
        other.listen()
        with client(home):
            board = board_of(home)
    assert board["airflow_port_before"] == before != board["ports"]["airflow"]

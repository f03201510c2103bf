"""Real PostgreSQL and MariaDB for the rooms that need them: one home a test session, started at the first use."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from include.embedded.client import ensure
from include.embedded.service import Site
from include.embedded.state import Home, Level, is_locked, load_secrets, read_json
from include.settings import ROOT, settings
from sandbox.control import send
from tests.airflow_runs import RunningAirflow, running_airflow
from tests.dirty_run import DirtyRun, send_dirty_file
from tests.support import Databases, own_files

GONE_SECONDS = 120.0
# Tests run at any hour; those of quiet hours say which they mean.
os.environ["BONGSU_QUIET_HOURS"] = "off"
settings.cache_clear()
# The services of the tests wait less: for receipts, and before a failed task is tried again.
PACE = {"BONGSU_POLL_SECONDS": "1", "BONGSU_RETRY_SECONDS": "2"}


@pytest.fixture
def acme_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The test's folder, in which the files of tenant acme are."""
    for name, value in own_files(tmp_path / "customer-files", tmp_path).items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@contextmanager
def own_databases(home: Home, files: Mapping[str, str]) -> Iterator[Databases]:
    """The campaign store and the SMS line of ``home``, as the product's own embedded services set them up.

    :param files: where the customer files are (:func:`tests.support.own_files`).
    """
    before = dict(os.environ)
    try:
        with ExitStack() as stack:
            try:
                os.environ.update(BONGSU_HOME=str(home.path), **files, **PACE)
                os.environ.pop("BONGSU_STORE_URL", None)
                settings.cache_clear()
                services = stack.enter_context(ensure(Level.databases, lambda line: None))
            finally:
                # The services are held, but a test of the environment must not see theirs.
                os.environ.clear()
                os.environ.update(before)
                settings.cache_clear()
            values = services.environment
            site = Site(home, read_json(home.endpoints)["ports"], load_secrets(home))
            yield Databases(
                home=home.path,
                store_url=values["BONGSU_STORE_URL"],
                platform_url=values["BONGSU_PLATFORM_URL"],
                owner_url=values["BONGSU_OWNER_URL"],
                admin_url=site.store_url("postgres", "postgres"),
                line_url=values["BONGSU_LINE_URL"],
                line_tables_url=values["BONGSU_LINE_TABLES_URL"],
                keyring=Path(values["BONGSU_KEYRING"]),
                environment=values,
            )
    finally:
        # Leaving the block put the environment back to how ensure found it.
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()
        # Whoever removes the home, or starts in it again, must not meet services that are still ending.
        limit = time.monotonic() + GONE_SECONDS
        while is_locked(home.supervisor_lock) and time.monotonic() < limit:
            time.sleep(0.1)


@contextmanager
def own_home(name: str) -> Iterator[Home]:
    """A state directory that is removed at the end.

    It is not below pytest's own folder: another pytest that starts closes that to the server's system user.
    """
    (parent := ROOT / ".bongsu" / "test").mkdir(parents=True, exist_ok=True)
    home = Home(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent)))
    try:
        yield home
    finally:
        home.remove()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The campaign store and the SMS line that most tests share."""
    with own_home("store") as home:
        files = own_files(home.path / "customer-files", tmp_path_factory.getbasetemp())
        with own_databases(home, files) as found:
            yield found


@pytest.fixture
def quiet_agents(databases: Databases) -> Iterator[None]:
    """The test answers for the carrier; the agents, which run once a test has started Airflow, rest meanwhile."""
    address = Home(databases.home).socket("agents.sock")
    lines = [str(line) for line in range(1, 12)]
    running = address.exists()
    if running:
        assert "error" not in send(str(address), "stop", *lines)
    yield
    if running:
        assert "error" not in send(str(address), "start", *lines)


@pytest.fixture(scope="session")
def airflow(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAirflow]:
    """A whole Airflow over ``databases``, started at the first use."""
    with running_airflow(databases, tmp_path_factory.mktemp("airflow")) as running:
        yield running


@pytest.fixture(scope="session")
def dirty_run(airflow: RunningAirflow) -> DirtyRun:
    """An uncleaned file of 5,000 rows, sent; for tests that only look at it."""
    return send_dirty_file(airflow)

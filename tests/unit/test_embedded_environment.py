"""What the embedded services find in their environment: the caller's wishes, and no password that is not theirs."""

from pathlib import Path

import pytest

from include.embedded.catalog import catalog, product_environment, task_environment
from include.embedded.processes import base_environment
from include.embedded.service import Site
from include.embedded.state import PORTS, Home, load_secrets

HELD = {
    "airflow-metadata": {"bongsu_app", "line", "airflow"},
    "airflow-api-server": {"bongsu_app", "line", "airflow"},
    "airflow-logs": {"bongsu_app", "line", "airflow"},
    "airflow-dag-processor": {"bongsu_app", "line", "airflow"},
    "airflow-scheduler": {"bongsu_app", "line", "airflow"},
    "airflow-triggerer": {"bongsu_app", "line", "airflow"},
    "agents": {"line_agent"},
    "postgres": set[str](),
    "mariadb": set[str](),
}
"""Which passwords each service's environment holds; the steps that prepare the databases hold all roles'."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr("include.embedded.postgres._place", lambda home, user: (home / "bin", home / "postgres"))
    home = Home(tmp_path)
    return Site(home, {name: 40_000 + place for place, name in enumerate(PORTS)}, load_secrets(home))


def test_each_service_has_the_passwords_that_it_needs(site: Site) -> None:
    passwords = {name: secret for name, secret in site.secrets.items() if not name.endswith(("_key", "_secret"))}
    found = {
        service.name: {
            name for name, secret in passwords.items() if any(secret in value for value in service.environment.values())
        }
        for service in catalog(site)
    }
    assert {name: held for name, held in found.items() if name not in ("store-schema", "line-tables")} == HELD


def test_quiet_hours_are_off_on_this_machine_unless_its_user_sets_them(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BONGSU_QUIET_HOURS", raising=False)
    assert task_environment(site)["BONGSU_QUIET_HOURS"] == "off"
    monkeypatch.setenv("BONGSU_QUIET_HOURS", "00:00-23:59")
    supervisors = base_environment(site.home.path)
    assert supervisors["BONGSU_QUIET_HOURS"] == "00:00-23:59"
    assert product_environment(site)["BONGSU_QUIET_HOURS"] == "00:00-23:59"


def test_every_service_reads_a_hangul_path(site: Site) -> None:
    assert {service.environment["LC_ALL"] for service in catalog(site)} == {"C.UTF-8"}

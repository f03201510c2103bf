"""docker-compose.yml as far as it can be judged without an engine."""

import json
import os
import re
import runpy
import subprocess
import sys
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.embedded.airflow import environment
from include.embedded.service import Site
from include.embedded.state import PORTS, Home, load_secrets
from include.settings import ROOT, Settings, without_privileges

VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?P<rule>:[?-][^}]*)?\}")
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENVIRONMENT = [
    (service, name, str(value))
    for service, body in SERVICES.items()
    for name, value in body.get("environment", {}).items()
]


def documented_variables() -> dict[str, str]:
    """The variables of .env.example with their values."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_checked_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert "restart" in service
    if name == "airflow-init":  # ends by itself
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    conditions = SERVICES[name].get("depends_on", {})
    for needed, how in conditions.items():
        ends = SERVICES[needed]["restart"] == "no"
        assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")
    if "build" in SERVICES[name] and name != "airflow-init":
        assert {"airflow-init", "postgres", "mariadb", "redis"} <= set(conditions)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"\d+(\.\d+)*", tag)


@pytest.mark.parametrize(("service", "name", "value"), ENVIRONMENT)
def test_no_secret_stands_in_the_file(service: str, name: str, value: str) -> None:
    passwords = [
        *re.findall(r"://[^:/@]*:(.*?)@", value),
        *re.findall(r'"password": "(.*?)"', value),
        *([value] if re.search(r"(PASSWORD|SECRET|SECRET_KEY|FERNET_KEY|_AUTH)$", name) else []),
    ]
    for password in passwords:
        assert VARIABLE.fullmatch(password), f"{service}: {name} holds a secret"
        assert password[2:-1].partition(":")[2].startswith("?"), f"{name}: an unset secret must stop the start"


def test_every_variable_is_documented_and_no_example_is_a_secret() -> None:
    used = {match[1]: match["rule"] or "" for match in VARIABLE.finditer(COMPOSE_TEXT)}
    documented = documented_variables()
    assert set(used) == set(documented)
    for name, rule in used.items():
        if rule.startswith(":?"):
            assert documented[name] == "", f"{name} is a secret: .env.example leaves it empty"
        else:
            assert documented[name] == rule.removeprefix(":-")


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = VARIABLE.sub("", volume).partition(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        elif source:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_published_on_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def airflow_options() -> set[str]:
    """The environment names of all options of Airflow and its Celery provider, without importing Airflow."""
    package = find_spec("airflow")
    assert package is not None
    assert package.origin is not None
    home = Path(package.origin).parent
    sections = yaml.safe_load((home / "config_templates" / "config.yml").read_text(encoding="utf-8"))
    celery = runpy.run_path(str(home / "providers" / "celery" / "get_provider_info.py"))["get_provider_info"]()
    options = [*sections.items(), *celery["config"].items()]
    return {f"AIRFLOW__{section}__{option}".upper() for section, body in options for option in body["options"]}


def test_airflow_knows_its_settings() -> None:
    ours = {name for _, name, _ in ENVIRONMENT if name.startswith("AIRFLOW__")}
    assert len(ours) > 15
    assert ours - airflow_options() == set()


def test_bongsu_knows_its_settings() -> None:
    known = {f"BONGSU_{field.name.upper()}" for field in fields(Settings)}
    ours = {name for _, name, _ in ENVIRONMENT if name.startswith("BONGSU_")}
    assert {"BONGSU_STORE_URL", "BONGSU_LINE_URL", "BONGSU_KEYRING"} <= ours
    assert ours - known == set()


@pytest.mark.parametrize(
    ("secret", "holders"),
    [
        ("STORE_OWNER_PASSWORD", {"postgres", "airflow-init"}),
        ("STORE_PLATFORM_PASSWORD", {"postgres", "airflow-init", "bongsu"}),
        ("LINE_TABLES_PASSWORD", {"mariadb", "airflow-init"}),
        ("AGENT_PASSWORD", {"mariadb"}),
        ("AIRFLOW_ADMIN_PASSWORD", {"airflow-init", "bongsu"}),
    ],
)
def test_where_tasks_run_nothing_mightier_than_a_task_is_known(secret: str, holders: set[str]) -> None:
    assert {service for service, _, value in ENVIRONMENT if f"${{{secret}:" in value} == holders


def test_a_process_that_runs_tasks_here_is_given_no_more() -> None:
    environment = {name: value for service, name, value in ENVIRONMENT if service in ("airflow-init", "bongsu")}
    given = without_privileges(environment)
    assert {"BONGSU_STORE_URL", "BONGSU_LINE_URL", "BONGSU_KEYRING"} <= set(given)
    mighty = {"BONGSU_OWNER_URL", "BONGSU_PLATFORM_URL", "BONGSU_LINE_TABLES_URL", "BONGSU_AIRFLOW_PASSWORD"}
    assert mighty <= set(environment)
    assert not mighty & set(given)


def test_only_the_api_server_reads_the_login() -> None:
    holders = {
        name for name, service in SERVICES.items() if any(v.startswith("login:") for v in service.get("volumes", []))
    }
    assert holders == {"airflow-init", "api-server"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_log_does_not_fill_the_disk(name: str) -> None:
    logging = SERVICES[name]["logging"]
    assert logging["driver"] == "json-file"
    assert {"max-size", "max-file"} <= set(logging["options"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_health_check_costs_little_and_reads_alike_in_every_engine(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if not check.get("disable"):
        assert check["test"][0] == "CMD-SHELL"  # a list is split at its blanks by some
        assert "airflow jobs" not in check["test"][1]
        assert "--app airflow" not in check["test"][1]


def test_a_first_start_that_was_cut_off_never_looks_healthy() -> None:
    """What each server is asked as is what its script makes last."""
    scripts = {name: (ROOT / "deploy" / name / "init.sh").read_text("utf-8") for name in ("postgres", "mariadb")}
    grants = re.findall(r"^GRANT .*;$", scripts["postgres"], re.MULTILINE)
    assert scripts["postgres"].rstrip().removesuffix("\nSQL").endswith(grants[-1])
    assert "bongsu_platform" in grants[-1]
    assert "--username bongsu_platform" in SERVICES["postgres"]["healthcheck"]["test"][1]
    assert re.findall(r"^CREATE USER '(\w+)'", scripts["mariadb"], re.MULTILINE)[-1] == "agent"
    assert "--user=agent" in SERVICES["mariadb"]["healthcheck"]["test"][1]


def test_airflow_gives_up_a_dead_worker_as_it_does_on_one_machine(tmp_path: Path) -> None:
    home = Home(tmp_path)
    embedded = environment(Site(home, dict.fromkeys(PORTS, 1), load_secrets(home)))
    for name in (
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL",
    ):
        assert {value for _, given, value in ENVIRONMENT if given == name} == {embedded[name]}


def test_no_task_waits_in_the_queue_behind_others() -> None:
    """A queued task that waits is taken for one that a dead worker had: all that are queued have a place."""
    documented = documented_variables()
    assert documented["PARALLELISM"] == documented["WORKER_CONCURRENCY"]


def test_quiet_hours_are_kept() -> None:
    assert {value for _, name, value in ENVIRONMENT if name == "BONGSU_QUIET_HOURS"} == {"21:00-08:00"}


def test_connections_are_json() -> None:
    connections = [value for _, name, value in ENVIRONMENT if name.startswith("AIRFLOW_CONN_")]
    assert connections
    for value in connections:
        assert {"conn_type", "host", "port", "login", "password", "schema"} == set(json.loads(value))


def test_the_image_is_built_with_locked_tools_only() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"(?:uv pip|bin/pip) install [^\n&]*", text)
    assert len(installs) == 4
    for install in installs:
        builds = "build.txt" not in install and "bootstrap.txt" not in install
        assert "--no-build-isolation" in install or not builds, install
        assert "--require-hashes" in install or "--editable ." in install, install


def test_new_env_fills_every_secret(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    for name in (".env.example", "deploy/new-env.sh"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    command = ["sh", str(tmp_path / "deploy" / "new-env.sh")]
    subprocess.run(command, check=True, capture_output=True)
    written = dict(
        line.split("=", 1)
        for line in (tmp_path / ".env").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert set(written) == set(documented_variables())
    secrets = [value for name, value in written.items() if not documented_variables()[name]]
    assert len(set(secrets)) == len(secrets)
    assert all(len(value) >= 44 for value in secrets)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


def test_the_celery_executor_loads_with_the_locked_celery(tmp_path: Path) -> None:
    program = "from airflow.providers.celery.executors.celery_executor import app; print(app.main)"
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr

"""DAGs built by the real loaders from manifests of about twenty campaigns; no scheduler and no store."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

# Airflow makes its home when it is first imported; a test's is never the user's.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="bongsu-airflow-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

from include.campaigns.definition import canonical
from include.campaigns.entries import make_entry
from include.campaigns.manifest import Entry, write_errors, write_manifest
from include.campaigns.spec import CampaignSpec
from include.settings import ROOT

SHARDS = range(10)
ACTIVATED = datetime(2026, 11, 21, 3, tzinfo=UTC)
TENANTS = {"acme": ("Asia/Seoul", [1, 2, 3]), "berlin-shop": ("Europe/Berlin", [4, 5, 6]), "any": ("Asia/Seoul", [7])}
TEXTS = {
    "advertising": "(광고) [ACME] {{name|고객}}님, 20% 할인 무료수신거부 080-123-4567",
    "informational": "{{name}}님, 주문하신 상품이 도착했습니다.",
    "authentication": "인증번호 {{code}}",
}
SCHEDULES: list[dict[str, Any]] = [
    {},
    {"daily": "09:00"},
    {"weekly": {"days": ["mon", "thu"], "at": "18:30"}},
    {"cron": "0 9 1 * *"},
    {"at": "2026-12-24T09:00"},
]


def make(
    slug: str,
    *,
    number: int = 1,
    tenant: str = "acme",
    purpose: str = "advertising",
    schedule: dict[str, Any] | None = None,
    activated_at: datetime = ACTIVATED,
    version: int = 1,
) -> Entry:
    """The manifest entry of a campaign, made of its spec as the compile step makes it."""
    zone, lines = TENANTS[tenant]
    spec = CampaignSpec.model_validate(
        {
            "tenant": tenant,
            "slug": slug,
            "title": f"캠페인 {number}",
            "purpose": purpose,
            "audience": {"file": f"/data/{slug}.csv", "columns": {"phone": "휴대폰", "name": "이름"}},
            "message": {"channel": "sms", "sender": "0212345678", "text": TEXTS[purpose]},
            "schedule": schedule or {},
        }
    )
    return make_entry(
        {
            "campaign_id": number,
            "version": version,
            "slug": slug,
            "dag_id": spec.dag_id,
            "activated_at": activated_at,
            "tenant_id": list(TENANTS).index(tenant) + 1,
            "tenant": tenant,
            "tenant_title": tenant.upper(),
            "timezone": zone,
            "spec": canonical(spec),
            "lines": [11] if purpose == "authentication" else lines,
            "test_line": 10,
        }
    )


def twenty() -> list[Entry]:
    """Campaigns of every purpose, schedule and tenant."""
    tenants, purposes = list(TENANTS), list(TEXTS)
    return [
        make(
            f"c{number:02d}",
            number=number,
            tenant=tenants[number % 3],
            purpose=purposes[number // 3 % 3],
            schedule=SCHEDULES[number % 5],
        )
        for number in range(20)
    ]


def write_all(folder: Path, entries: list[Entry]) -> None:
    """Manifests of all shards, the campaigns dealt to the first four."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in SHARDS:
        write_manifest(folder, shard, entries[shard::4] if shard < 4 else [])
    write_errors(folder, [])


@dataclass(frozen=True)
class Parsed:
    """What Airflow made of the loaders: import errors by file, DAGs by id."""

    errors: dict[str, str]
    dags: dict[str, dict[str, Any]]


Parse = Callable[..., Parsed]


@pytest.fixture(scope="session")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Parse:
    """Parse ``dags/`` against a folder of manifests, in a new process."""
    home = tmp_path_factory.mktemp("airflow")

    def run(manifests: Path, *, hash_seed: str = "0", dags: Path = ROOT / "dags", **environment: str) -> Parsed:
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONHASHSEED": hash_seed,
            "PYTHONWARNINGS": "error:.*deprecated:DeprecationWarning:dags",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "BONGSU_MANIFESTS": str(manifests),
            # nobody listens there: a loader that asked the store or the line would fail
            "BONGSU_STORE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "BONGSU_PLATFORM_URL": "postgresql://nobody@127.0.0.1:1/none",
            "BONGSU_LINE_URL": "mysql://nobody@127.0.0.1:1/none",
            **environment,
        }
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("parse_dags.py")), str(dags)],
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Parsed(**json.loads(done.stdout.rsplit("\n", 1)[-1]))

    return run


@pytest.fixture(scope="session")
def entries() -> list[Entry]:
    return twenty()


@pytest.fixture
def manifests(tmp_path: Path, entries: list[Entry]) -> Path:
    """A folder of manifests that a test may break."""
    folder = tmp_path / "manifests"
    write_all(folder, entries)
    return folder


@pytest.fixture(scope="session")
def parsed(parse: Parse, entries: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    """The twenty campaigns, parsed once."""
    folder = tmp_path_factory.mktemp("manifests")
    write_all(folder, entries)
    return parse(folder)

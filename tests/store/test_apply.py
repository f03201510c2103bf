"""From definitions in the store to manifests: versions, shards, the last good version, and what an edit changes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.campaigns import entries, runs
from include.campaigns.apply import CAMPAIGNS_A_LOADER, Applied, apply, loader_shards
from include.campaigns.guard import Refusal
from include.campaigns.guarding import Asked, guard
from include.campaigns.manifest import (
    DefinitionError,
    Entry,
    compile_manifests,
    listed_files,
    manifest_name,
    read_errors,
    read_manifest,
)
from include.campaigns.runs import Run
from include.campaigns.spec import CampaignSpec, Schedule
from include.cli import applying
from include.cli.applying import apply_all
from include.errors import BongsuError
from include.settings import ROOT, settings
from include.store import UnknownTenant, connect
from tests.support import AD, Databases, make_tenant, own_files

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


class Tenant:
    """A tenant that applies definitions."""

    def __init__(self, databases: Databases, **kwargs: Any) -> None:
        self.tenant_id = make_tenant(databases, **kwargs)
        with databases.platform() as platform:
            row = platform.execute("SELECT slug FROM tenants WHERE tenant_id = %s", [self.tenant_id]).fetchone()
        assert row is not None
        self.slug = str(row[0])
        self.databases = databases
        self.store = connect(databases.store_url, self.tenant_id, actor="somebody")

    def spec(self, slug: str = "spring", title: str = "봄맞이", **more: Any) -> CampaignSpec:
        return CampaignSpec.model_validate(
            {
                "tenant": self.slug,
                "slug": slug,
                "title": title,
                "purpose": "advertising",
                "audience": {"file": "/data/contacts.csv", "columns": {"phone": "휴대폰"}},
                "message": {"channel": "sms", "sender": "0212345678", "text": AD},
                **more,
            }
        )

    def apply(self, now: datetime = NOW, **fields: Any) -> Applied:
        return apply(self.store, self.spec(**fields), now)

    def value(self, statement: str, *values: Any) -> Any:
        row = self.store.execute(statement.encode(), list(values)).fetchone()
        self.store.commit()
        return row[0] if row else None


@pytest.fixture
def tenant(databases: Databases) -> Iterator[Tenant]:
    made = Tenant(databases)
    yield made
    made.store.close()


@pytest.fixture
def platform(databases: Databases) -> Iterator[psycopg.Connection]:
    with databases.platform() as connection:
        yield connection


def entry_of(folder: Path, applied: Applied) -> Entry:
    found = [e for e in read_manifest(folder / manifest_name(applied.shard)) if e.dag_id == applied.dag_id]
    assert len(found) == 1
    return found[0]


def test_a_new_campaign_is_version_1_and_active_from_now(tenant: Tenant) -> None:
    applied = tenant.apply()
    assert (applied.version, applied.changed, applied.dag_id) == (1, True, f"campaign__{tenant.slug}__spring")
    assert tenant.value("SELECT activated_at FROM campaigns WHERE campaign_id = %s", applied.campaign_id) == NOW


def test_the_same_definition_again_changes_nothing(tenant: Tenant) -> None:
    first, again = tenant.apply(), tenant.apply(LATER)
    assert (again.version, again.changed, again.shard) == (1, False, first.shard)
    assert tenant.value("SELECT count(*) FROM campaign_versions WHERE campaign_id = %s", first.campaign_id) == 1
    assert tenant.value("SELECT activated_at FROM campaigns WHERE campaign_id = %s", first.campaign_id) == NOW


def test_a_changed_definition_is_a_new_version_active_from_then(tenant: Tenant) -> None:
    first = tenant.apply()
    second = tenant.apply(LATER, title="여름맞이")
    assert (second.campaign_id, second.version, second.changed) == (first.campaign_id, 2, True)
    assert (second.shard, second.dag_id) == (first.shard, first.dag_id)
    assert tenant.value("SELECT activated_at FROM campaigns WHERE campaign_id = %s", first.campaign_id) == LATER
    assert tenant.value("SELECT title FROM campaigns WHERE campaign_id = %s", first.campaign_id) == "여름맞이"


def test_who_did_what_is_kept(tenant: Tenant) -> None:
    tenant.apply()
    tenant.apply(LATER)
    tenant.apply(LATER, title="여름맞이")
    kept = tenant.store.execute("SELECT actor, action, object, detail ->> 'version' FROM audit_log ORDER BY audit_id")
    dag_id = f"campaign__{tenant.slug}__spring"
    assert kept.fetchall() == [
        ("somebody", "campaign created", dag_id, "1"),
        ("somebody", "campaign changed", dag_id, "2"),
    ]


def test_a_tenant_cannot_apply_for_another(databases: Databases, tenant: Tenant) -> None:
    other = Tenant(databases)
    with pytest.raises(UnknownTenant, match="bongsu tenant add"):
        apply(tenant.store, other.spec(), NOW)
    other.store.close()


def begin(tenant: Tenant, applied: Applied, dag_run_id: str) -> Run:
    return runs.begin(tenant.store, applied.campaign_id, applied.dag_id, dag_run_id, test_send=False)


def test_an_edit_changes_nothing_in_a_run_under_way(tenant: Tenant) -> None:
    applied = tenant.apply()
    run = begin(tenant, applied, "manual__1")
    tenant.apply(LATER, title="여름맞이")
    assert runs.load(tenant.store, run.run_id) == run
    assert (run.version, run.spec.title) == (1, "봄맞이")
    assert begin(tenant, applied, "manual__1") == run
    assert begin(tenant, applied, "manual__2").spec.title == "여름맞이"


def test_shards_fill_one_after_the_other(tenant: Tenant) -> None:
    full = loader_shards()[-2]
    last = loader_shards()[-1]
    for number in range(CAMPAIGNS_A_LOADER):
        applied = tenant.apply(slug=f"n{number}")
        with tenant.databases.owner() as owner:
            owner.execute("UPDATE campaigns SET shard = %s WHERE campaign_id = %s", [full, applied.campaign_id])
    statement = "SELECT bongsu.free_shard(%s::smallint[], %s)"
    assert tenant.value(statement, [full, last], CAMPAIGNS_A_LOADER) == last
    assert tenant.value(statement, [full], CAMPAIGNS_A_LOADER) is None
    tenant.store.execute("UPDATE campaigns SET state = 'archived' WHERE slug = 'n7'")
    assert tenant.value(statement, [full, last], CAMPAIGNS_A_LOADER) == full


def test_when_all_loaders_are_full_it_says_what_to_do(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.campaigns.apply.CAMPAIGNS_A_LOADER", 0)
    with pytest.raises(BongsuError, match=r"Archive some, or copy dags/campaigns_00\.py to dags/campaigns_10\.py"):
        tenant.apply()


def test_an_applied_campaign_is_in_its_manifest(tenant: Tenant, platform: psycopg.Connection, tmp_path: Path) -> None:
    applied = tenant.apply(schedule={"daily": "09:00"})
    compile_manifests(platform, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("campaigns_*.json")) == [manifest_name(n) for n in range(10)]
    entry = entry_of(tmp_path, applied)
    assert (entry.campaign_id, entry.version, entry.tenant_id) == (applied.campaign_id, 1, tenant.tenant_id)
    assert (entry.lines, entry.test_line) == ([1, 2, 3], 10)
    assert (entry.schedule, entry.timezone) == ({"cron": "0 9 * * *"}, "Asia/Seoul")
    assert datetime.fromisoformat(entry.start_date) == NOW


def test_only_the_shard_that_changed_is_named(tenant: Tenant, platform: psycopg.Connection, tmp_path: Path) -> None:
    applied = tenant.apply()
    compile_manifests(platform, tmp_path)
    assert compile_manifests(platform, tmp_path) == []
    tenant.apply(LATER, title="여름맞이")
    assert compile_manifests(platform, tmp_path) == [applied.shard]


def test_authentication_goes_over_its_own_line_and_no_group_means_all(
    databases: Databases, platform: psycopg.Connection, tmp_path: Path
) -> None:
    grouped, free = Tenant(databases), Tenant(databases, line_group=None)
    text = {"channel": "sms", "sender": "0212345678", "text": "인증번호 {{code}}"}
    code = grouped.apply(slug="code", purpose="authentication", message=text)
    anywhere = free.apply()
    compile_manifests(platform, tmp_path)
    assert entry_of(tmp_path, code).lines == [11]
    assert entry_of(tmp_path, anywhere).lines == list(range(1, 10))
    grouped.store.close()
    free.store.close()


def test_a_stored_definition_that_is_no_longer_valid_keeps_its_last_good_entry(
    tenant: Tenant, platform: psycopg.Connection, tmp_path: Path
) -> None:
    applied, other = tenant.apply(), tenant.apply(slug="other")
    compile_manifests(platform, tmp_path)
    good = entry_of(tmp_path, applied)
    with tenant.databases.owner() as owner:
        owner.execute(
            "UPDATE campaign_versions SET spec = jsonb_set(spec, '{purpose}', '\"spam\"') WHERE campaign_id = %s",
            [applied.campaign_id],
        )
    try:
        assert compile_manifests(platform, tmp_path) == []
        assert entry_of(tmp_path, applied) == good
        assert entry_of(tmp_path, other).slug == "other"
        listed = [error for error in read_errors(tmp_path) if tenant.slug in error.source]
        assert [error.source for error in listed] == [f"store: {tenant.slug}/spring version 1"]
        assert listed[0].message.startswith("purpose: ")
    finally:
        tenant.store.execute("UPDATE campaigns SET state = 'archived' WHERE slug = 'spring'")
        tenant.store.commit()


def break_spec(databases: Databases, campaign: int, fields: str) -> None:
    """Put fields into a stored definition that no apply would take; only the tables' owner may."""
    with databases.owner() as owner:
        owner.execute(
            "UPDATE campaign_versions SET spec = spec || %s::jsonb WHERE campaign_id = %s", [fields, campaign]
        )


UNCOMPILABLE = {
    "a moment that no zone can show": '{"schedule": {"at": "0001-01-01T00:00:00"}}',
    "values deep in each other": f'{{"audience": {"[" * 5000}{"]" * 5000}}}',
    "a list instead of the fields": '{"delivery": []}',
}


@pytest.mark.parametrize("kind", UNCOMPILABLE)
def test_a_stored_definition_that_cannot_be_compiled_holds_up_no_service_and_can_be_archived(
    databases: Databases, tenant: Tenant, platform: psycopg.Connection, kind: str
) -> None:
    folder = Path(databases.environment["BONGSU_MANIFESTS"])
    applied, other = tenant.apply(), tenant.apply(slug="other")
    compile_manifests(platform, folder)
    good = entry_of(folder, applied)
    break_spec(databases, applied.campaign_id, UNCOMPILABLE[kind])
    environment = {**os.environ, **databases.environment, "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    try:
        run("include.embedded.prepare", "store")
        assert entry_of(folder, applied) == good
        assert entry_of(folder, other)
        assert [e.source for e in read_errors(folder) if tenant.slug in e.source] == [
            f"store: {tenant.slug}/spring version 1"
        ]
        run("include.cli", "state", "spring", "archived", "--tenant", tenant.slug)
        assert applied.dag_id not in {e.dag_id for e in read_manifest(folder / manifest_name(applied.shard))}
        assert [e for e in read_errors(folder) if tenant.slug in e.source] == []
    finally:
        tenant.store.execute("UPDATE campaigns SET state = 'archived' WHERE slug = 'spring'")
        tenant.store.commit()


def test_whatever_compiling_one_campaign_raises_the_others_have_their_entries(
    tenant: Tenant, platform: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied, other = tenant.apply(), tenant.apply(slug="other")
    compile_manifests(platform, tmp_path)
    good = entry_of(tmp_path, applied)
    timing = entries.timing

    def overflow(schedule: Schedule, zone: str) -> dict[str, str]:
        if schedule.daily == "08:00":
            raise OverflowError("date value out of range")
        return timing(schedule, zone)

    monkeypatch.setattr(entries, "timing", overflow)
    broken = tenant.spec(schedule={"daily": "08:00"}).model_dump_json()
    break_spec(tenant.databases, applied.campaign_id, broken)
    compile_manifests(platform, tmp_path)
    assert entry_of(tmp_path, applied) == good
    assert entry_of(tmp_path, other)
    (error,) = (one for one in read_errors(tmp_path) if tenant.slug in one.source)
    assert "it cannot be read (OverflowError('date value out of range'))" in error.message


@pytest.fixture
def no_lines(databases: Databases) -> str:
    """A line group without lines, so that nothing of its tenants can be compiled."""
    with databases.platform() as platform:
        platform.execute(
            "INSERT INTO line_groups (slug, title, kind) VALUES ('none', 'none', 'bulk') ON CONFLICT DO NOTHING"
        )
    return "none"


def test_a_version_that_cannot_be_compiled_is_never_committed(
    databases: Databases, tenant: Tenant, no_lines: str
) -> None:
    applied = tenant.apply()
    with databases.platform() as platform:
        platform.execute("UPDATE tenants SET line_group = %s WHERE tenant_id = %s", [no_lines, tenant.tenant_id])
    for fields in ({"title": "여름맞이"}, {"slug": "other"}):
        with pytest.raises(BongsuError, match="has no line"):
            tenant.apply(LATER, **fields)
    assert tenant.value("SELECT array_agg(slug || version::text) FROM campaigns") == ["spring1"]
    assert tenant.value("SELECT count(*) FROM campaign_versions") == 1
    assert tenant.value("SELECT activated_at FROM campaigns WHERE campaign_id = %s", applied.campaign_id) == NOW


def test_one_file_that_cannot_be_applied_harms_no_other_of_the_call_and_its_error_ends_with_it(
    databases: Databases, tenant: Tenant, no_lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineless = Tenant(databases, line_group=no_lines)
    files = {}
    for name, spec in {"good": tenant.spec("good"), "lineless": lineless.spec(), "gone": lineless.spec("gone")}.items():
        document = spec.document()
        document["audience"]["file"] = "contacts.csv"
        files[name] = tmp_path / f"{name}.yaml"
        files[name].write_text(json.dumps(document), encoding="utf-8")
    files["foreign"] = tmp_path / "foreign.yaml"
    files["second"] = tmp_path / "second.yaml"
    shutil.copy(files["good"], files["second"])
    files["wrong"] = tmp_path / "wrong.yaml"
    files["wrong"].write_text("title: [", encoding="utf-8")
    for one in (tenant, lineless):
        own_files(tmp_path / "files", tmp_path, one.slug)
    ours = {"BONGSU_MANIFESTS": str(tmp_path / "manifests"), "BONGSU_CUSTOMER_FILES": str(tmp_path / "files")}
    for name, value in {**databases.environment, **ours}.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    real = applying._apply

    def apply_one(file: Path, defined: dict[str, Path]) -> applying.Applied:
        if file == files["foreign"]:
            raise ValueError("what nobody has thought of")
        return real(file, defined)

    monkeypatch.setattr(applying, "_apply", apply_one)
    try:
        applied, broken = apply_all(
            [files[name] for name in ("foreign", "lineless", "wrong", "gone", "good", "second")]
        )
        assert [one.slug for one in applied] == ["good"]
        assert [error.source for error in broken] == [
            "foreign.yaml", "lineless.yaml", "wrong.yaml", "gone.yaml", "second.yaml",
        ]  # fmt: skip
        assert "slug: good.yaml defines " in str(broken[-1])
        assert "it was not applied" in str(broken[0])
        assert "has no line: give it a line group that has one" in str(broken[1])

        def listed() -> list[str]:
            return [Path(error.source).name for error in listed_files(tmp_path / "manifests")]

        assert sorted(listed()) == ["foreign.yaml", "gone.yaml", "lineless.yaml", "second.yaml", "wrong.yaml"]
        files["second"].unlink()
        files["gone"].unlink()
        with databases.platform() as platform:
            platform.execute("UPDATE tenants SET line_group = NULL WHERE tenant_id = %s", [lineless.tenant_id])
        assert [one.slug for one in apply_all([files["lineless"]])[0]] == ["spring"]
        assert listed() == ["wrong.yaml"]
    finally:
        monkeypatch.undo()
        settings.cache_clear()
        lineless.store.close()


def test_wrong_files_stay_listed_until_the_next_check(platform: psycopg.Connection, tmp_path: Path) -> None:
    wrong = DefinitionError("spring.yaml", "line 4: purpose: ...")
    compile_manifests(platform, tmp_path, [wrong])
    compile_manifests(platform, tmp_path)
    assert wrong in read_errors(tmp_path)
    compile_manifests(platform, tmp_path, [])
    assert wrong not in read_errors(tmp_path)


def test_an_archived_campaign_keeps_its_dag_while_a_run_is_under_way(
    tenant: Tenant, platform: psycopg.Connection, tmp_path: Path
) -> None:
    applied = tenant.apply()
    run = begin(tenant, applied, "manual__1")
    tenant.store.execute("UPDATE campaigns SET state = 'archived'")
    tenant.store.commit()
    compile_manifests(platform, tmp_path)
    assert entry_of(tmp_path, applied)
    tenant.store.execute(
        "UPDATE runs SET state = 'finished', finished_at = now() - interval '8 days' WHERE run_id = %s", [run.run_id]
    )
    tenant.store.commit()
    compile_manifests(platform, tmp_path)
    assert applied.dag_id not in {e.dag_id for e in read_manifest(tmp_path / manifest_name(applied.shard))}


def test_the_window_is_read_by_the_schedules_clocks(tenant: Tenant) -> None:
    schedule = {"daily": "09:00", "timezone": "America/New_York", "valid_from": "2036-11-21T09:00"}
    applied = tenant.apply(schedule=schedule)
    asked = Asked(run_after=datetime.now(UTC))
    _, decision = guard(tenant.store, applied.campaign_id, applied.dag_id, "manual__1", asked)
    assert isinstance(decision, Refusal)
    assert decision.reason == "not_yet_valid"
    assert "2036-11-21 23:00 KST" in decision.sentence

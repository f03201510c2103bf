"""Live campaigns of every kind in a store of their own, and the manifests that the product compiles of them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.scratch import scratch_database
from include.campaigns.apply import apply
from include.campaigns.manifest import Entry, compile_manifests, manifest_name, read_manifest
from include.campaigns.spec import CampaignSpec
from include.embedded.seed import seed
from include.store import connect, tenant_id
from include.store_migrations import upgrade

ACTIVATED = datetime(2026, 11, 21, 3, tzinfo=UTC)
TEXTS = {
    "advertising": "(광고) [ACME] {{name|고객}}님, 봄맞이 20% 할인 무료수신거부 080-123-4567",
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


def spec(number: int) -> CampaignSpec:
    """Campaign ``number``: purposes and schedules take turns."""
    purpose = list(TEXTS)[number % len(TEXTS)]
    return CampaignSpec.model_validate(
        {
            "tenant": "acme",
            "slug": f"campaign-{number:04d}",
            "title": f"캠페인 {number}",
            "purpose": purpose,
            "audience": {
                "file": f"/data/campaign-{number:04d}.csv",
                "columns": {"phone": "휴대폰", "name": "이름", "code": "인증번호"},
            },
            "message": {"channel": "sms", "sender": "0212345678", "text": TEXTS[purpose]},
            "schedule": SCHEDULES[number % len(SCHEDULES)],
        }
    )


def compile_live(folder: Path, count: int) -> dict[int, list[Entry]]:
    """Put ``count`` campaigns into force in a new store and compile their manifests into ``folder``.

    :returns: the entries of each loader that has any, by shard.
    """
    with scratch_database("bench_parsing") as database:
        upgrade(database.owner_url)
        seed(database.platform_url)
        with connect(database.platform_url) as platform:
            with connect(database.store_url, tenant_id(platform, "acme")) as store:
                shards = sorted({apply(store, spec(number), ACTIVATED).shard for number in range(count)})
            compile_manifests(platform, folder, [])
    return {shard: read_manifest(folder / manifest_name(shard)) for shard in shards}

"""The DAG of test sends: a form of its own, so that a test never switches a campaign's schedule on.

Airflow runs nothing of a paused DAG, and a new campaign's DAG is paused. A test send is a run of this DAG, which is
always on: the same stages, for the people of the campaign's test file, over the test line. Its run ids begin with
``test``, and no campaign's report asset hears of it.
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Context, Param, get_parsing_context

from include.campaigns.manifest import BrokenManifest, Entry, read_manifest
from include.errors import RunOver
from include.settings import settings
from include.taxonomy_codes import RETRIES
from operators.aggregate_results import TEST_REPORTS
from operators.campaign_dag import TASK_DOCS, stages, task_defaults
from operators.guard import GuardOperator
from operators.test_timetable import TestSends

DAG_ID = "test_send"
TENANT_ID = "{{ ti.xcom_pull(task_ids='guard')['tenant_id'] }}"
PROPOSED = 200
"""Campaigns that the form proposes; any other can be written into it."""
TEST_LINE = 10
PRIORITY = 25
DOC = """Sends a campaign to the people of its test file (`audience.test_file`), over the test line.

Customers get nothing, and the campaign's own schedule stays as it is.
"""


class TestSendGuardOperator(GuardOperator):
    """The guard of a test send: the campaign is the one that the form names."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(tenant_id=None, campaign_id=None, test_send=True, **kwargs)

    def _decide(self, context: Context) -> dict[str, int]:
        entry = find_campaign(_known(settings().manifests), str(context["params"]["campaign"]))
        self.tenant_id, self.campaign_id = entry.tenant_id, entry.campaign_id
        return super()._decide(context)


def find_campaign(entries: list[Entry], name: str) -> Entry:
    """The campaign called ``tenant/slug``, or ``slug`` where only one tenant has it.

    :raises RunOver: there is none, or several tenants have one.
    """
    wanted = name.strip()
    found = [entry for entry in entries if wanted in (f"{entry.tenant}/{entry.slug}", entry.slug)]
    if len(found) == 1:
        return found[0]
    if found:
        tenants = ", ".join(f"{entry.tenant}/{entry.slug}" for entry in found)
        raise RunOver(f"Nothing is sent. Several campaigns are called {wanted!r}; write one of: {tenants}.")
    raise RunOver(f"Nothing is sent. There is no campaign {wanted!r}; write tenant/slug, such as acme/spring-sale.")


def build_test_send_dag() -> dict[str, DAG]:
    """The DAG by its id, unless Airflow is about to run a task of another one; its form proposes the campaigns of the
    manifests that can be read.
    """
    if get_parsing_context().dag_id not in (None, DAG_ID):
        return {}
    entries = _known(settings().manifests)
    names = sorted(f"{entry.tenant}/{entry.slug}" for entry in entries)
    with DAG(
        dag_id=DAG_ID,
        dag_display_name="Test send · 테스트 발송",
        description="A campaign, to its own test people only",
        doc_md=DOC,
        schedule=TestSends(),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=16,
        is_paused_upon_creation=False,
        default_args=task_defaults("bongsu", RETRIES, PRIORITY),
        params={
            "campaign": Param(
                None,
                type="string",
                minLength=1,
                examples=names[:PROPOSED],
                title="Campaign",
                description="tenant/slug. It goes to the people of the campaign's test file.",
            )
        },
        tags=["request"],
    ) as dag:
        guard = TestSendGuardOperator(task_id="guard", doc_md=TASK_DOCS["guard"])
        lines = [next((entry.test_line for entry in entries if entry.test_line), TEST_LINE)]
        stages(guard, tenant_id=TENANT_ID, lines=lines, outlet=TEST_REPORTS)
    return {DAG_ID: dag}


def _known(folder: Path) -> list[Entry]:
    """The campaigns of every manifest that is whole; a broken one is shown by its own loader."""
    found: list[Entry] = []
    for path in sorted(folder.glob("campaigns_*.json")):
        with suppress(BrokenManifest):
            found += read_manifest(path)
    return found

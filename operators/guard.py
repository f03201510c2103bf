"""Stage 0: whether the run may go at all, and the snapshot of its definition."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from hooks.campaign_store import CampaignStoreHook
from include.settings import settings
from operators.retries import explained


class GuardOperator(BaseOperator):
    """Lets a run go, or records why not and skips every stage after it.

    :param tenant_id: the campaign's tenant.
    :param campaign_id: the campaign.
    :param store_conn_id: connection to the campaign store.

    Returns ``{"run_id": n}``. Repeated for a run that went before, it gives the same run with the same definition: only
    what people stopped and quiet hours can still stop it, never the time that has passed.
    """

    ui_color = "#f7f0dd"

    def __init__(
        self,
        *,
        tenant_id: int,
        campaign_id: int,
        store_conn_id: str = CampaignStoreHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tenant_id = tenant_id
        self.campaign_id = campaign_id
        self.store_conn_id = store_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        with explained(self, context):
            return self._decide(context)

    def _decide(self, context: Context) -> dict[str, int]:
        from include.campaigns import runs
        from include.campaigns.guard import Stop, decide
        from include.campaigns.guarding import load_facts, record_override

        dag_run, params = context["dag_run"], context["params"]
        test_send = bool(params.get("test_send"))
        with CampaignStoreHook(self.store_conn_id).get_conn(self.tenant_id) as store:
            before = runs.find(store, self.campaign_id, dag_run.run_id)
            went = before is not None and before.state != "refused"
            facts = load_facts(
                store,
                self.campaign_id,
                now=datetime.now(UTC),
                run_after=dag_run.run_after,
                # what went once was in time: a clear hours later resumes it
                run_type="manual" if went else str(getattr(dag_run.run_type, "value", dag_run.run_type)),
                test_send=test_send,
                allow_backfill=bool(params.get("allow_backfill")),
                override_quiet_hours=bool(params.get("override_quiet_hours")),
                override_reason=str(params.get("override_reason") or ""),
                settings=settings(),
            )
            decision = decide(facts)
            run = before or runs.begin(store, self.campaign_id, dag_run.run_id, test_send=test_send)
            if isinstance(decision, Stop):
                if not went:
                    runs.set_state(store, run.run_id, "refused", f"{decision.reason}: {decision.sentence}")
                raise AirflowSkipException(f"Nothing is sent. {decision.sentence}")
            if not went:
                runs.set_state(store, run.run_id, "started")
                record_override(store, run, facts)
            self.log.info("%s Run %s, version %s, lines %s.", decision.note, run.run_id, run.version, run.lines)
            return {"run_id": run.run_id}

"""Stage 0: whether the run may go at all, and which version of the definition it is of."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from hooks.campaign_store import CampaignStoreHook
from include.errors import RunOver
from operators.retries import explained


class GuardOperator(BaseOperator):
    """Lets a run go, or records why not and fails, with every stage after it.

    :param tenant_id: the campaign's tenant; templated.
    :param campaign_id: the campaign; templated.
    :param test_send: the run is for the people of the campaign's test file, over the test line.
    :param store_conn_id: connection to the campaign store.

    Returns ``{"run_id": n, "tenant_id": n}``. Repeated for a run that went before, it gives the same run with the same
    definition: what people stop, and quiet hours, are asked about before every chunk.
    """

    template_fields: Sequence[str] = ("tenant_id", "campaign_id")
    ui_color = "#f7f0dd"

    def __init__(
        self,
        *,
        tenant_id: Any,
        campaign_id: Any,
        test_send: bool = False,
        store_conn_id: str = CampaignStoreHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tenant_id = tenant_id
        self.campaign_id = campaign_id
        self.test_send = test_send
        self.store_conn_id = store_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        with explained(self, context):
            return self._decide(context)

    def _decide(self, context: Context) -> dict[str, int]:
        from include.campaigns.guard import Refusal
        from include.campaigns.guarding import Asked, guard

        dag_run, params = context["dag_run"], context["params"]
        asked = Asked(
            run_after=dag_run.run_after,
            run_type=str(getattr(dag_run.run_type, "value", dag_run.run_type)),
            test_send=self.test_send,
            allow_backfill=bool(params.get("allow_backfill")),
            allow_overlap=bool(params.get("allow_overlap")),
            override_quiet_hours=bool(params.get("override_quiet_hours")),
            override_reason=str(params.get("override_reason") or ""),
        )
        actor = dag_run.triggering_user_name or f"schedule of {dag_run.dag_id}"
        with CampaignStoreHook(self.store_conn_id).get_conn(int(self.tenant_id), actor=actor) as store:
            run, decision = guard(store, int(self.campaign_id), dag_run.dag_id, dag_run.run_id, asked)
        if isinstance(decision, Refusal):
            raise RunOver(f"Nothing is sent. {decision.sentence}")
        self.log.info("%s Run %s, version %s, lines %s.", decision.note, run.run_id, run.version, run.lines)
        return {"run_id": run.run_id, "tenant_id": run.tenant_id}

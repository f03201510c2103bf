"""What every stage of a run has in common: its run, its connections, its retries."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from hooks.campaign_store import CampaignStoreHook
from hooks.sms_line import SmsLineHook
from include.errors import Refused
from include.settings import settings
from operators.retries import explained

if TYPE_CHECKING:
    import psycopg
    from MySQLdb.connections import Connection

    from include.campaigns.runs import Run
    from include.privacy.cipher import KeyRing


class StageOperator(BaseOperator):
    """A stage of a run. Repeating it at any moment is safe: what was done before is found and left alone.

    :param tenant_id: the tenant whose rows the stage may see; templated.
    :param run_id: number of the run; templated, given by the guard.
    :param store_conn_id: connection to the campaign store.
    :param line_conn_id: connection to the SMS line.
    """

    template_fields: Sequence[str] = ("tenant_id", "run_id")
    closes = False
    """Whether the stage has work to do for a run that was cancelled."""
    ui_color = "#e8eef7"

    def __init__(
        self,
        *,
        tenant_id: Any,
        run_id: Any,
        store_conn_id: str = CampaignStoreHook.default_conn_name,
        line_conn_id: str = SmsLineHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tenant_id = tenant_id
        self.run_id = run_id
        self.store_conn_id = store_conn_id
        self.line_conn_id = line_conn_id

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, int] | list[int]:
        """Do the stage's work; an error is explained in one line of the log before it fails the task.

        :param event: of a trigger that has fired; a stage looks for itself and does not need it.
        """
        with explained(self, context):
            return self.work(context)

    @abstractmethod
    def work(self, context: Context) -> dict[str, int] | list[int]:
        """What the stage does."""

    @cached_property
    def store_hook(self) -> CampaignStoreHook:
        """Hook of the campaign store."""
        return CampaignStoreHook(self.store_conn_id)

    @cached_property
    def line_hook(self) -> SmsLineHook:
        """Hook of the SMS line."""
        return SmsLineHook(self.line_conn_id)

    def open_ring(self, store: "psycopg.Connection") -> "KeyRing":
        """The keys of this installation, confirmed by the store."""
        from include.privacy.ring import open_ring

        return open_ring(store, settings().keyring)

    @contextmanager
    def opened_run(self) -> "Iterator[tuple[psycopg.Connection, Run]]":
        """The store, as the stage's tenant, and the run. A refusal is written on the run before it fails the task."""
        from include.campaigns import runs

        with self.store_hook.get_conn(int(self.tenant_id)) as store:
            run = runs.load_going(store, int(self.run_id), closes=self.closes)
            try:
                yield store, run
            except Refused as refusal:
                store.rollback()
                if run.frozen_at is None:  # afterwards some of it may have left
                    runs.set_state(store, run.run_id, "refused", str(refusal))
                raise

    @contextmanager
    def opened_line(self) -> "Iterator[Connection]":
        """A connection to the SMS line."""
        line = self.line_hook.get_conn()
        try:
            yield line
        finally:
            line.close()

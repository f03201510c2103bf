"""Imports once, in Airflow's long-lived processes, what the children that they fork would each import for themselves.

The DAG processor forks a process for every file; the scheduler with the local executor forks workers, and they fork
one for every task. Without this a task takes a fifth of a second of a processor for the modules of its stage, and the
gate of every run seconds for Great Expectations. Only a scheduler that forks the tasks has them; its tasks share its
pages.
"""

import os
import sys
from importlib import import_module
from typing import Any

from airflow.configuration import conf
from airflow.listeners import hookimpl

AIRFLOW = (
    "airflow.dag_processing.dagbag",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
)
STAGES = (
    "hooks.campaign_store",
    "hooks.sms_line",
    "include.audience.freeze",
    "include.audience.gate",
    "include.audience.staging",
    "include.campaigns.guarding",
    "include.pipeline.cancel",
    "include.delivery.dispatch",
    "include.delivery.receipts",
    "include.privacy.ring",
    "include.reporting.books",
    "include.reporting.report",
    "operators.receipt_trigger",
)
"""What the stages import when they work."""


class Preloader:
    """Listens for the start of a component."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Import what its children need; a task that starts is told, too, and imports for itself what is missing."""
        if type(component).__module__ != "airflow.jobs.job":
            return
        import_module("operators.loader")
        if forks_tasks():
            # numpy would start threads here, which no forked task has
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            for name in (*AIRFLOW, *STAGES):
                import_module(name)
            from include.audience import gate_library

            gate_library.load()


def forks_tasks() -> bool:
    """Whether this is a scheduler whose own children are the tasks; the component does not say yet what it is."""
    return "scheduler" in sys.argv and "LocalExecutor" in conf.get("core", "executor")

"""Writes why a run was refused, or ended without success, as the note of Airflow's run: the first thing its page shows.

A task has no way to its run's note. It leaves the sentence as an XCom, and this listener, in the scheduler, puts it
there when the run has failed.
"""

from typing import Any

from airflow.listeners import hookimpl

from operators.retries import REFUSAL

LONGEST = 1000
"""Characters that Airflow's column takes."""


class RunNotes:
    """Listens for the end of runs."""

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        """Note the sentence that a task of the run has left; a note that a person wrote stays."""
        from airflow.models.xcom import XComModel
        from sqlalchemy.orm import object_session

        session = object_session(dag_run)
        if session is None or dag_run.note:
            return
        asked = XComModel.get_many(key=REFUSAL, dag_ids=dag_run.dag_id, run_id=dag_run.run_id, limit=1)
        left = session.scalars(asked).first()
        if left is not None:
            dag_run.note = str(XComModel.deserialize_value(left))[:LONGEST]

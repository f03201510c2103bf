"""Writes why a run was refused, or ended without success, as the note of Airflow's run: the first thing its page shows.

A task has no way to its run's note. It leaves the sentence as an XCom, and this listener, in the scheduler, puts it
there when the run has failed.
"""

import re
from typing import Any

from airflow.listeners import hookimpl

from operators.retries import REFUSAL

LONGEST = 1000
"""Characters that Airflow's column takes."""
_MARKS = re.compile(r"[\\`*_\[\]<>!#|~&]")


class RunNotes:
    """Listens for the end of runs."""

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        """Note the sentence that a task of the run has left; a note that a person wrote stays."""
        from airflow.models.xcom import XComModel
        from sqlalchemy.orm import object_session

        session = object_session(dag_run)
        if session is None or (dag_run.note and not _is_ours(dag_run)):
            return
        asked = XComModel.get_many(key=REFUSAL, dag_ids=dag_run.dag_id, run_id=dag_run.run_id, limit=1)
        left = session.scalars(asked).first()
        if left is not None:
            dag_run.note = as_it_is(str(XComModel.deserialize_value(left)))[:LONGEST]

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        """A run that was cleared and went after all no longer says why it had not."""
        if _is_ours(dag_run):
            dag_run.dag_run_note = None


def _is_ours(dag_run: Any) -> bool:
    """Whether nobody who signed in wrote the note."""
    return dag_run.dag_run_note is not None and dag_run.dag_run_note.user_id is None


def as_it_is(sentence: str) -> str:
    """Markdown that shows a sentence of ours as it is. What it quotes, such as a file's header or somebody's reason,
    can be no link and no picture, which every reader's browser would fetch.
    """
    return _MARKS.sub(r"\\\g<0>", " ".join(sentence.split()))

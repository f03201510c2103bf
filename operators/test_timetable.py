"""When the DAG of test sends runs: when a person asks."""

from datetime import datetime
from typing import Any

from airflow.timetables.simple import NullTimetable


class TestSends(NullTimetable):
    """Never by itself; its run ids say what they are."""

    def generate_run_id(self, *, run_after: datetime, **more: Any) -> str:
        """``test__<moment>``."""
        return f"test__{run_after.isoformat()}"

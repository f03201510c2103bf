"""What Bongsu adds to Airflow itself, as its entry point names it; loaded by every component, so it imports little."""

from airflow.plugins_manager import AirflowPlugin

from operators.preload import Preloader
from operators.run_notes import RunNotes
from operators.test_timetable import TestSends


class BongsuPlugin(AirflowPlugin):
    """Listeners and timetables."""

    name = "bongsu"
    listeners = [Preloader(), RunNotes()]  # noqa: RUF012  # as Airflow declares it
    timetables = [TestSends]  # noqa: RUF012

"""What `make chaos` sees of a run while its services die: Airflow's metadata and the supervisor's board, read only."""

import random
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
from psycopg.rows import class_row

from include.embedded.client import board_of
from include.embedded.service import Site
from tests.faults.chaos_plan import Victim

INSTANCES = """
SELECT task_id, map_index, coalesce(state, 'none') AS state, try_number, coalesce(pid, 0) AS pid,
       extract(epoch FROM start_date)::float8 AS began
FROM task_instance WHERE dag_id = %s ORDER BY task_id, map_index
"""
AMID = """
SELECT 1 FROM pg_stat_activity
WHERE datname = 'bongsu' AND usename = 'bongsu_app' AND state <> 'idle' AND query ~ %s LIMIT 1
"""
STATE = "SELECT state FROM dag_run WHERE dag_id = %s"


@dataclass(frozen=True)
class Instance:
    """A task instance as Airflow's metadata has it."""

    task_id: str
    map_index: int
    state: str
    try_number: int
    pid: int
    began: float | None

    @property
    def name(self) -> str:
        """``dispatch[7]``."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


@dataclass(frozen=True)
class Seen:
    """One look at a run.

    :param state: the run's.
    """

    state: str
    instances: list[Instance]

    def of(self, task_id: str) -> list[Instance]:
        """The instances of a task."""
        return [one for one in self.instances if one.task_id == task_id]

    def done(self, task_id: str) -> int:
        """How many instances of a task have succeeded."""
        return sum(one.state == "success" for one in self.of(task_id))


class Watcher:
    """Looks at the only run of a DAG; sees nothing while PostgreSQL is away."""

    def __init__(self, site: Site, dag_id: str) -> None:
        self.site = site
        self.run = [dag_id]
        self.metadata: psycopg.Connection | None = None

    def look(self) -> Seen | None:
        """The run now; ``None`` when it cannot be seen."""
        try:
            if self.metadata is None:
                url = self.site.store_url("postgres", "airflow")
                self.metadata = psycopg.connect(url, autocommit=True, connect_timeout=2, application_name="chaos")
            state = self.metadata.execute(STATE, self.run).fetchone()
            with self.metadata.cursor(row_factory=class_row(Instance)) as cursor:
                return Seen(str(state[0]) if state else "none", cursor.execute(INSTANCES, self.run).fetchall())
        except psycopg.Error:
            self.close()
            return None

    def is_amid(self, words: str) -> bool:
        """Whether a task is at a statement that matches ``words``."""
        try:
            return self.metadata is not None and self.metadata.execute(AMID, [words]).fetchone() is not None
        except psycopg.Error:
            self.close()
            return False

    def close(self) -> None:
        """Let go of the metadata."""
        if self.metadata is not None:
            self.metadata.close()
            self.metadata = None

    def service(self, name: str) -> dict[str, Any]:
        """What the supervisor says of a service."""
        found: dict[str, Any] = board_of(self.site.home).get("services", {}).get(name, {})
        return found

    def is_ready(self, name: str) -> bool:
        """Whether a service runs."""
        return self.service(name).get("state") == "ready"

    def find(self, victim: Victim, seen: Seen, task_id: str, rng: random.Random) -> tuple[psutil.Process, str] | None:
        """The process to kill, and what it is at; ``None`` when there is none at this moment."""
        try:
            if victim.is_service:
                return (psutil.Process(self.service(victim)["pid"]), "") if self.is_ready(victim) else None
            running = [one for one in seen.of(task_id) if one.state == "running" and one.pid]
            if not running:
                return None
            chosen = rng.choice(running)
            task = psutil.Process(chosen.pid)
            worker = task.parent()
            scheduler = self.service(Victim.scheduler).get("pid")
            # The number in the metadata may be that of a process that has just ended.
            if worker is None or worker.ppid() != scheduler:
                return None
            return (task if victim is Victim.task else worker), f"{chosen.name} try {chosen.try_number}"
        except (psutil.Error, KeyError):
            return None

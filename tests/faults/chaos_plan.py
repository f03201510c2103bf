"""What `make chaos` kills, and when: one seed, one plan.

Every kill belongs to a phase of the run, so that it surely comes while the run is in it. Within the phase, the order
and the moments are the seed's.
"""

import random
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a run is; each has the task whose state tells."""

    import_ = "import"
    freeze = "freeze"
    dispatch = "dispatch"
    collect = "collect"
    aggregate = "aggregate"

    @property
    def task_id(self) -> str:
        """The task of the phase."""
        return {"import": "import_targets", "freeze": "dedupe_targets", "dispatch": "dispatch"}.get(
            self.value, {"collect": "collect_receipts", "aggregate": "aggregate_results"}.get(self.value, "")
        )


class Victim(StrEnum):
    """What can be killed: a service of the embedded supervisor by its name, or a process of Airflow's executor."""

    task = "task"
    worker = "worker"
    scheduler = "airflow-scheduler"
    triggerer = "airflow-triggerer"
    dag_processor = "airflow-dag-processor"
    api_server = "airflow-api-server"
    mariadb = "mariadb"
    postgres = "postgres"
    agents = "agents"

    @property
    def is_service(self) -> bool:
        """Whether the supervisor starts it again; a worker is the scheduler's matter, a task that of a retry."""
        return self not in (Victim.task, Victim.worker)

    @property
    def named(self) -> str:
        """For the log."""
        return {
            "task": "task process",
            "worker": "LocalExecutor worker",
            "mariadb": "MariaDB",
            "postgres": "PostgreSQL",
            "agents": "agents of all lines",
        }.get(self.value, self.value.removeprefix("airflow-").replace("-", " "))


@dataclass(frozen=True)
class Kill:
    """One kill.

    :param after: seconds after the phase's task was first seen at work, or after ``amid`` was.
    :param chunks: and, in dispatch, chunks that must have been handed over.
    :param amid: a regular expression; the store must be at a statement that it matches.
    """

    phase: Phase
    victim: Victim
    after: float
    chunks: int = 0
    amid: str = ""


IN_DISPATCH = (
    Victim.task,
    Victim.worker,
    Victim.scheduler,
    Victim.api_server,
    Victim.mariadb,
    Victim.postgres,
)


def plan(seed: int, chunks: int) -> list[Kill]:
    """The kills of ``seed`` in their order, for a run of so many chunks."""
    rng = random.Random(seed)
    importing = [
        Kill(Phase.import_, Victim.worker, rng.uniform(0, 0.3), amid="COPY arriving"),
        Kill(Phase.import_, Victim.dag_processor, rng.uniform(0, 0.6)),
    ]
    kills = rng.sample(importing, 2)
    kills.append(Kill(Phase.freeze, Victim.postgres, rng.uniform(0, 0.1), amid="verdicts"))
    order = rng.sample(IN_DISPATCH, len(IN_DISPATCH))
    # One in each of equal stretches of the first two thirds: enough is left to be sent when the last one is over.
    stretch = chunks * 2 // 3 / len(order)
    for place, victim in enumerate(order):
        kills.append(Kill(Phase.dispatch, victim, 0.0, 1 + int((place + rng.random()) * stretch)))
    # In this order: the agents come back at their full speed, and then there is not much left to wait for.
    kills.append(Kill(Phase.collect, Victim.triggerer, rng.uniform(1, 4)))
    kills.append(Kill(Phase.collect, Victim.agents, rng.uniform(5, 10)))
    kills.append(Kill(Phase.aggregate, Victim.task, 0.0, amid="tally|report_|certificates"))
    return kills

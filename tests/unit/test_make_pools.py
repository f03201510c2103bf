"""The pools of the lines are made where they are missing; what a person set stays."""

import os
import subprocess
import sys
from pathlib import Path

from include.embedded.seed import LINES
from operators.line_pools import pool_of

PROGRAM = """
from airflow import settings
settings.configure_orm()
from airflow.models.base import Base
from airflow.models.pool import Pool
from airflow.utils.session import create_session
from include.embedded.seed import LINES
from operators.make_pools import make_pools

Base.metadata.create_all(settings.engine, tables=[Base.metadata.tables[name] for name in ("team", "slot_pool")])
print(" ".join(make_pools(LINES)))
with create_session() as session:
    Pool.get_pool("sms_line_3", session=session).slots = 0
    session.delete(Pool.get_pool("sms_line_4", session=session))
print(" ".join(make_pools(LINES)))
print(" ".join(f"{pool.pool}={pool.slots}" for pool in Pool.get_pools()))
"""


def test_a_line_that_a_person_stopped_stays_stopped(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    first, second, slots = done.stdout.splitlines()[-3:]
    assert first.split() == [pool_of(line) for line in LINES]
    assert second.split() == ["sms_line_4"]
    assert slots.split() == [
        *(f"{pool_of(line)}={0 if line == 3 else 2}" for line in LINES if line != 4),
        "sms_line_4=2",
    ]

"""Builds the Airflow DAGs of this shard's campaigns from its manifest; the shard is the number in the
file's name.

Airflow only looks into files that hold both its name and the word dag.
"""

from pathlib import Path

from operators.loader import build_dags

globals().update(build_dags(Path(__file__)))

"""The form of test sends: one Airflow DAG for all campaigns.

Airflow only looks into files that hold both its name and the word dag.
"""

from operators.test_send_dag import build_test_send_dag

globals().update(build_test_send_dag())

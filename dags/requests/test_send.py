"""The form of test sends: one Airflow DAG for all campaigns."""

from include.settings import settings
from operators.test_send_dag import build_test_send_dag

dag = build_test_send_dag(settings().manifests)

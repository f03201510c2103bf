"""Holds no DAG: shows campaign definitions that cannot be used as one import error of Airflow's."""

from operators.loader import raise_definition_errors

raise_definition_errors()

"""A folder of DAGs that only the benchmarks' own Airflow has: the shape of a campaign with nothing in it."""

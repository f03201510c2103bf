-- The run of a DAG run.
SELECT run_id, state, refusal FROM runs WHERE dag_id = %(dag)s AND dag_run_id = %(run)s

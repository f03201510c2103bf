-- The run of a DAG run; when that has no name yet, the DAG's first run after a known one.
SELECT run_id, state, refusal
FROM runs
WHERE dag_id = %(dag)s
  AND run_id > %(after)s
  AND (dag_run_id = %(run)s OR %(run)s::text IS NULL)
ORDER BY run_id
LIMIT 1

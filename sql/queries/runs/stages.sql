-- Stages of a run with their seconds, in the order in which they began.
SELECT stage, round(extract(epoch FROM finished_at - started_at), 3) AS seconds
FROM run_stages
WHERE run_id = %s
ORDER BY started_at

-- How long each stage of a run took and what it counted, for those that are done.
SELECT stage, extract(epoch FROM finished_at - started_at), counts
FROM run_stages
WHERE run_id = %s

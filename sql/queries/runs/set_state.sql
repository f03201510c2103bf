-- Move a run on; what is finished stays finished, however often a stage is repeated.
UPDATE runs
SET state = %(state)s,
    refusal = %(refusal)s,
    finished_at = CASE WHEN %(state)s IN ('finished', 'refused', 'failed') THEN now() END
WHERE run_id = %(run)s AND state <> 'finished'

-- Move a run on. What is finished stays finished, however often a stage is repeated; what is being cancelled or not yet
-- decided upon is not moved on by a stage.
UPDATE runs
SET state = %(state)s,
    refusal = %(refusal)s,
    finished_at = CASE WHEN %(state)s IN ('finished', 'refused', 'failed') THEN now() END
WHERE run_id = %(run)s AND state IN ('started', 'sending', 'failed')

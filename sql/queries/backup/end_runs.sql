-- Runs whose audience was not frozen may have been frozen and sent after the backup: they get an empty one, and nothing is
-- sent when one of their tasks is repeated. Their books close with the rows that had been rejected by then.
UPDATE runs r
SET frozen_at = %(made_at)s,
    audience_hash = sha256(''),
    rows_read = (SELECT count(*) FROM exclusions e WHERE e.run_id = r.run_id),
    refusal = coalesce(refusal, %(reason)s)
WHERE frozen_at IS NULL

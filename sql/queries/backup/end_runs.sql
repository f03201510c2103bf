-- Runs whose audience was not frozen may have been frozen and sent after the backup: they get an empty one, and nothing is
-- sent when one of their tasks is repeated. Their books close with the rows that had been rejected by then.
--
-- Runs that were frozen and had no chunks yet may have been planned and sent after it, too: nothing marks what went out, so
-- they are being cancelled, and no chunk is planned for them but to take it back.
WITH ended AS (
    UPDATE runs r
    SET state = 'cancelling', refusal = coalesce(refusal, %(reason)s)
    WHERE frozen_at IS NOT NULL AND state IN ('started', 'sending', 'failed')
      AND NOT EXISTS (SELECT FROM chunks c WHERE c.tenant_id = r.tenant_id AND c.run_id = r.run_id)
      AND EXISTS (SELECT FROM recipients p WHERE p.run_id = r.run_id AND p.month = r.month)
)
UPDATE runs r
SET frozen_at = %(made_at)s,
    audience_hash = sha256(''),
    rows_read = (SELECT count(*) FROM exclusions e WHERE e.run_id = r.run_id),
    refusal = coalesce(refusal, %(reason)s)
WHERE frozen_at IS NULL

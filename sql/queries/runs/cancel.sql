-- A person cancels a run: a chunk that asks whether it may leave does not leave any more.
WITH cancelled AS (
    UPDATE runs
    SET state = 'cancelling', refusal = %(reason)s
    WHERE run_id = %(run)s AND state IN ('deciding', 'started', 'sending', 'failed')
    RETURNING tenant_id, dag_id, run_id
)
INSERT INTO audit_log (tenant_id, action, object, detail)
SELECT tenant_id, 'run cancelled', dag_id, jsonb_build_object('run', run_id, 'reason', %(reason)s::text) FROM cancelled

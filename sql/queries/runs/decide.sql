-- The guard's decision: the run's state, what a person overrode, and the record of both, in one statement. A run that went
-- before, or was cancelled, is not decided upon again.
WITH decided AS (
    UPDATE runs
    SET state = %(state)s, refusal = %(refusal)s, night_reason = %(night_reason)s,
        finished_at = CASE WHEN %(state)s = 'refused' THEN now() END
    WHERE run_id = %(run)s AND state IN ('deciding', 'refused')
    RETURNING tenant_id, dag_id
)
INSERT INTO audit_log (tenant_id, action, object, detail)
SELECT tenant_id, %(action)s, dag_id, %(detail)s::jsonb FROM decided

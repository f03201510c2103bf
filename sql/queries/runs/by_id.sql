-- One run.
SELECT run_id, tenant_id, campaign_id, version, spec AS document, dag_id, dag_run_id, test_send, lines, run_at, state,
       refusal, columns, rows_read, audience_hash, frozen_at
FROM runs
WHERE run_id = %s

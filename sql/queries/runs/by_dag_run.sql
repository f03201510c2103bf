-- The run of one Airflow DAG run. Its id is unique in its DAG only: a test send may have the same.
SELECT r.run_id, r.tenant_id, r.campaign_id, r.version, v.spec AS document, v.content_hash, r.dag_id, r.dag_run_id,
       r.test_send, r.lines, r.run_at, r.month, r.state, r.refusal, r.columns, r.rows_read, r.audience_hash, r.frozen_at
FROM runs r JOIN campaign_versions v USING (tenant_id, campaign_id, version)
WHERE r.campaign_id = %(campaign)s AND r.dag_id = %(dag)s AND r.dag_run_id = %(dag_run)s

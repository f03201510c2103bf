-- Begin a run, still to be decided upon: it names the version in force and the lines of its traffic. Does nothing when the
-- DAG run has begun before.
INSERT INTO runs (tenant_id, campaign_id, version, dag_id, dag_run_id, test_send, lines, run_at)
SELECT c.tenant_id, c.campaign_id, c.version, %(dag)s, %(dag_run)s, %(test_send)s, l.numbers, %(run_at)s
FROM campaigns c
JOIN campaign_versions v USING (tenant_id, campaign_id, version)
CROSS JOIN LATERAL bongsu.lines_of(
    c.tenant_id,
    CASE WHEN %(test_send)s THEN 'test' WHEN v.spec ->> 'purpose' = 'authentication' THEN 'auth' ELSE 'bulk' END
) AS l (numbers)
WHERE c.campaign_id = %(campaign)s AND l.numbers <> '{}'
ON CONFLICT (tenant_id, campaign_id, dag_id, dag_run_id) DO NOTHING

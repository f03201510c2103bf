-- Begin a run: snapshot the definition in force and the lines of the tenant's group (all bulk lines when it has none;
-- the test line for a test send). Does nothing when the DAG run has begun before.
INSERT INTO runs (tenant_id, campaign_id, version, spec, dag_id, dag_run_id, test_send, lines, run_at, content_hash)
SELECT c.tenant_id, c.campaign_id, c.version, v.spec, c.dag_id, %(dag_run)s, %(test_send)s, l.numbers,
       %(run_at)s, %(content_hash)s
FROM campaigns c
JOIN campaign_versions v USING (campaign_id, version)
JOIN tenants t ON t.tenant_id = c.tenant_id
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT n.line_no ORDER BY n.line_no) AS numbers
    FROM lines n
    JOIN line_group_lines g USING (line_no)
    WHERE CASE WHEN %(test_send)s THEN n.kind = 'test'
               WHEN v.spec ->> 'purpose' = 'authentication' THEN n.kind = 'auth'
               WHEN t.line_group IS NULL THEN n.kind = 'bulk'
               ELSE g.group_slug = t.line_group END
) l
WHERE c.campaign_id = %(campaign)s AND l.numbers IS NOT NULL
ON CONFLICT (dag_id, dag_run_id) DO NOTHING

-- Every campaign that has a DAG, with the definition in force, its tenant and the lines it is sent over: the group of
-- the tenant, all bulk lines when it has none, the authentication line for authentication. Archived campaigns stay as
-- long as a run of theirs is under way, and a week longer: a DAG that vanishes takes its running tasks with it.
-- With a campaign given, that one alone, archived or not. The definition comes as text, so that whoever reads the rows
-- reads each definition for itself.
SELECT c.campaign_id, c.version, c.slug, c.dag_id, c.shard, c.activated_at, c.tenant_id,
       t.slug AS tenant, t.title AS tenant_title, t.timezone, v.spec::text AS spec, coalesce(l.numbers, '{}') AS lines,
       (SELECT min(line_no) FROM lines WHERE kind = 'test') AS test_line
FROM campaigns c
JOIN campaign_versions v USING (campaign_id, version)
JOIN tenants t ON t.tenant_id = c.tenant_id
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT n.line_no ORDER BY n.line_no) AS numbers
    FROM lines n JOIN line_group_lines g USING (line_no)
    WHERE CASE WHEN v.spec ->> 'purpose' = 'authentication' THEN n.kind = 'auth'
               WHEN t.line_group IS NULL THEN n.kind = 'bulk'
               ELSE g.group_slug = t.line_group END
) l
WHERE c.campaign_id = %(campaign)s::bigint
   OR (%(campaign)s::bigint IS NULL
       AND (c.state <> 'archived'
            OR EXISTS (SELECT FROM runs r WHERE r.campaign_id = c.campaign_id
                       AND (r.state IN ('started', 'sending') OR r.finished_at > %(now)s - interval '7 days'))))
ORDER BY c.shard, c.dag_id

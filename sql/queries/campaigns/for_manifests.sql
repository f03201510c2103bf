-- Every campaign that has a DAG, with the definition in force, its tenant and the lines it is sent over. Archived campaigns
-- stay as long as a run of theirs is under way, and a week longer: a DAG that vanishes takes its running tasks with it.
-- With a campaign given, that one alone, archived or not. The definition comes as text, so that whoever reads the rows
-- reads each definition for itself.
SELECT c.campaign_id, c.version, c.slug, c.dag_id, c.shard, c.activated_at, c.tenant_id,
       t.slug AS tenant, t.title AS tenant_title, t.timezone, v.spec::text AS spec,
       bongsu.lines_of(c.tenant_id, CASE WHEN v.spec ->> 'purpose' = 'authentication' THEN 'auth' ELSE 'bulk' END) AS lines,
       (bongsu.lines_of(c.tenant_id, 'test'))[1] AS test_line
FROM campaigns c
JOIN campaign_versions v USING (tenant_id, campaign_id, version)
JOIN tenants t USING (tenant_id)
WHERE c.campaign_id = %(campaign)s::bigint
   OR (%(campaign)s::bigint IS NULL
       AND (c.state <> 'archived'
            OR EXISTS (SELECT FROM runs r WHERE r.campaign_id = c.campaign_id
                       AND (r.state IN ('deciding', 'started', 'sending', 'cancelling')
                            OR r.finished_at > %(now)s - interval '7 days'))))
ORDER BY c.shard, c.dag_id

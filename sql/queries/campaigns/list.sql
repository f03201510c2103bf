-- Every campaign with its schedule as defined, its tenant's time zone, and its last run, test sends included.
SELECT t.slug, c.slug, c.title, c.state, c.version, coalesce(v.spec -> 'schedule', '{}'), t.timezone, r.run_id, r.state
FROM campaigns c
JOIN tenants t USING (tenant_id)
JOIN campaign_versions v USING (tenant_id, campaign_id, version)
LEFT JOIN LATERAL (
    SELECT run_id, state FROM runs WHERE campaign_id = c.campaign_id ORDER BY run_id DESC LIMIT 1
) r ON true
ORDER BY t.slug, c.slug

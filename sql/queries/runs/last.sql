-- The last runs of a campaign, newest first, by the tenant's clock; recipients are counted once chunks are planned.
SELECT r.run_id, to_char(r.run_at AT TIME ZONE t.timezone, 'YYYY-MM-DD HH24:MI'), r.state, r.test_send, k.recipients, r.refusal
FROM runs r
JOIN campaigns c USING (tenant_id, campaign_id)
JOIN tenants t USING (tenant_id)
CROSS JOIN LATERAL (
    SELECT max(last_no) AS recipients FROM chunks WHERE tenant_id = r.tenant_id AND run_id = r.run_id
) k
WHERE c.slug = %(slug)s AND c.tenant_id = %(tenant)s
ORDER BY r.run_id DESC
LIMIT %(last)s

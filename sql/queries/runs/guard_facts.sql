-- What the guard wants to know of a campaign.
SELECT c.state, c.activated_at, t.timezone, v.spec, bongsu.kill_switch(c.tenant_id) AS kill_switch
FROM campaigns c
JOIN campaign_versions v USING (campaign_id, version)
JOIN tenants t ON t.tenant_id = c.tenant_id
WHERE c.campaign_id = %s

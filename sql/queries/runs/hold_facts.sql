-- What can hold a run's next chunk back, as it is at this moment.
SELECT r.state AS run_state, r.test_send, r.night_reason, c.state, v.spec, t.timezone,
       bongsu.kill_switch(c.tenant_id) AS kill_switch, now() AS now
FROM runs r
JOIN campaigns c USING (tenant_id, campaign_id)
JOIN campaign_versions v ON v.tenant_id = r.tenant_id AND v.campaign_id = r.campaign_id AND v.version = r.version
JOIN tenants t ON t.tenant_id = r.tenant_id
WHERE r.run_id = %(run)s

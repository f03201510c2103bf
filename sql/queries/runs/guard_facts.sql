-- What the guard wants to know: of the campaign as it is now, of the run with the version that it began with, and of
-- another run of the campaign that may still hand something over.
SELECT r.state AS run_state, c.state, c.activated_at, t.timezone, v.spec, bongsu.kill_switch(c.tenant_id) AS kill_switch,
       now() AS now,
       (SELECT max(o.run_id) FROM runs o
        WHERE o.tenant_id = r.tenant_id AND o.campaign_id = r.campaign_id AND o.run_id <> r.run_id
          AND o.test_send = r.test_send
          AND (o.state = 'started'
               OR o.state IN ('sending', 'failed', 'cancelling')
                  AND EXISTS (SELECT FROM chunks k
                              WHERE k.tenant_id = o.tenant_id AND k.run_id = o.run_id AND k.state = 'planned'))
       ) AS under_way
FROM runs r
JOIN campaigns c USING (tenant_id, campaign_id)
JOIN campaign_versions v ON v.tenant_id = r.tenant_id AND v.campaign_id = r.campaign_id AND v.version = r.version
JOIN tenants t ON t.tenant_id = r.tenant_id
WHERE r.run_id = %(run)s

-- The tenant of a run.
SELECT t.slug FROM runs r JOIN tenants t USING (tenant_id) WHERE r.run_id = %s

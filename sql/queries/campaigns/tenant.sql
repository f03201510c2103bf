-- A tenant by its slug, if the session may see it.
SELECT tenant_id FROM tenants WHERE slug = %s

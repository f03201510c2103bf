-- A rotation concerns every tenant, and each sees it in its own log.
INSERT INTO audit_log (tenant_id, action, object, detail)
SELECT tenant_id, 'key rotated', 'key ring', jsonb_build_object('key', %(number)s::integer) FROM tenants

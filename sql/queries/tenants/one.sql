-- A tenant as the command that adds one names its parts.
SELECT t.title, p.slug AS parent, t.line_group, t.timezone
FROM tenants t
LEFT JOIN tenants p ON p.tenant_id = t.parent_id
WHERE t.slug = %s

-- All tenants, each below its parent, with its depth and its number of campaigns.
SELECT
    t.tenant_id,
    t.slug,
    t.title,
    t.kind,
    coalesce(t.line_group, 'all bulk lines'),
    t.timezone,
    cardinality(t.path),
    (SELECT count(*) FROM campaigns c WHERE c.tenant_id = t.tenant_id)
FROM tenants t
ORDER BY (
    SELECT array_agg(p.slug ORDER BY cardinality(p.path))
    FROM tenants p
    WHERE p.tenant_id = ANY (t.path)
)

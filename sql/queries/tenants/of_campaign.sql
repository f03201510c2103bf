-- The tenants that have a campaign of this name.
SELECT t.slug
FROM campaigns c
JOIN tenants t USING (tenant_id)
WHERE c.slug = %s
ORDER BY t.slug

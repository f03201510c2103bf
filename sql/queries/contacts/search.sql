-- One page of contacts of all tenants that the session sees, newest first. Each tenant's matches come off one index in the
-- order of the page, so that a page costs the same for a frequent value and a rare one.
SELECT c.contact_id, c.tenant_id, c.phone_enc, c.name_enc, c.external_id, c.tags, c.region, c.created_at
FROM (
    SELECT found.contact_id
    FROM tenants t
    CROSS JOIN LATERAL (
        SELECT m.contact_id
        FROM {table} m
        WHERE m.tenant_id = t.tenant_id AND {matches} AND m.contact_id < %(before)s
        ORDER BY m.contact_id DESC
        LIMIT %(rows)s
    ) found
    ORDER BY found.contact_id DESC
    LIMIT %(rows)s
) page
JOIN contacts c USING (contact_id)
ORDER BY c.contact_id DESC

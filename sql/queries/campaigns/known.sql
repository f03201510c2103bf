-- A tenant's campaign of this slug, live or archived, if there ever was one.
SELECT campaign_id FROM campaigns JOIN tenants USING (tenant_id) WHERE tenants.slug = %(tenant)s AND campaigns.slug = %(slug)s

-- Keep a version's definition.
INSERT INTO campaign_versions (campaign_id, version, tenant_id, spec, spec_hash, created_at)
VALUES (%(campaign)s, %(version)s, %(tenant)s, %(spec)s::jsonb, %(hash)s, %(now)s)

-- Keep a version's definition.
INSERT INTO campaign_versions (tenant_id, campaign_id, version, spec, spec_hash, content_hash, created_at)
VALUES (%(tenant)s, %(campaign)s, %(version)s, %(spec)s::jsonb, %(hash)s, %(content_hash)s, %(now)s)

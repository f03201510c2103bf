-- A campaign with its one version, for runs that were never sent.
WITH made AS (
    INSERT INTO campaigns (tenant_id, slug, title, version, shard, activated_at, state)
    VALUES (%(tenant)s, %(slug)s, %(slug)s, 1, 0, now(), %(state)s)
    RETURNING campaign_id
)
INSERT INTO campaign_versions (tenant_id, campaign_id, version, spec, spec_hash, content_hash)
SELECT %(tenant)s, campaign_id, 1, %(spec)s::jsonb, '', %(content_hash)s FROM made
RETURNING campaign_id

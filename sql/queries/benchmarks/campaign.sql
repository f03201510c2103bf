-- A campaign with its one version, for runs that were never sent.
WITH made AS (
    INSERT INTO campaigns (tenant_id, slug, title, dag_id, version, shard, activated_at, state)
    VALUES (%(tenant)s, %(slug)s, %(slug)s, %(slug)s, 1, 0, now(), 'archived')
    RETURNING campaign_id
)
INSERT INTO campaign_versions (campaign_id, version, tenant_id, spec, spec_hash)
SELECT campaign_id, 1, %(tenant)s, %(spec)s::jsonb, '' FROM made
RETURNING campaign_id

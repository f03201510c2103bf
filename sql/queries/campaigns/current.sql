-- The campaign of one tenant and slug with the hash of its version in force, locked until the apply ends.
SELECT c.campaign_id, c.version, c.shard, c.dag_id, v.spec_hash
FROM campaigns c JOIN campaign_versions v USING (tenant_id, campaign_id, version)
WHERE c.tenant_id = %(tenant)s AND c.slug = %(slug)s
FOR UPDATE OF c

-- A new campaign, version 1.
INSERT INTO campaigns (tenant_id, slug, title, dag_id, version, shard, activated_at)
VALUES (%(tenant)s, %(slug)s, %(title)s, %(dag_id)s, 1, %(shard)s, %(now)s)
RETURNING campaign_id

-- A new campaign, version 1; the store names its DAG.
INSERT INTO campaigns (tenant_id, slug, title, version, shard, activated_at)
VALUES (%(tenant)s, %(slug)s, %(title)s, 1, %(shard)s, %(now)s)
RETURNING campaign_id, dag_id

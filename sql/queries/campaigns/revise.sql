-- The next version of a campaign comes into force. Its DAG and its shard stay; what was due before now is not sent.
UPDATE campaigns SET version = %(version)s, title = %(title)s, activated_at = %(now)s
WHERE tenant_id = %(tenant)s AND campaign_id = %(campaign)s

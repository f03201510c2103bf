-- Pause, resume or archive a campaign. What it was due for meanwhile is not made up for: activated_at moves on.
WITH changed AS (
    UPDATE campaigns SET state = %(state)s, activated_at = now()
    WHERE tenant_id = %(tenant)s AND slug = %(slug)s AND state <> %(state)s
    RETURNING tenant_id, dag_id
)
INSERT INTO audit_log (tenant_id, action, object, detail)
SELECT tenant_id, 'campaign state changed', dag_id, jsonb_build_object('state', %(state)s::text) FROM changed

-- Refusals that were recorded after the backup are missing, so no run starts before somebody has looked.
WITH held AS (
    INSERT INTO kill_switches (tenant_id, reason)
    SELECT tenant_id, %(reason)s FROM tenants WHERE parent_id IS NULL
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, reason
)
INSERT INTO audit_log (tenant_id, action, object, detail)
SELECT tenant_id, 'kill switch thrown', 'tenant', jsonb_build_object('reason', reason) FROM held

-- Take a tenant's kill switch back.
WITH lifted AS (
    DELETE FROM kill_switches WHERE tenant_id = %(tenant)s RETURNING reason
)
INSERT INTO audit_log (tenant_id, action, object, detail)
SELECT %(tenant)s, 'kill switch lifted', 'tenant', jsonb_build_object('reason', reason) FROM lifted

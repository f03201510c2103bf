-- Throw a tenant's kill switch, or give it another reason.
WITH thrown AS (
    INSERT INTO kill_switches (tenant_id, reason) VALUES (%(tenant)s, %(reason)s)
    ON CONFLICT (tenant_id) DO UPDATE SET reason = excluded.reason, set_at = now()
)
INSERT INTO audit_log (tenant_id, action, object, detail)
VALUES (%(tenant)s, 'kill switch thrown', 'tenant', jsonb_build_object('reason', %(reason)s::text))

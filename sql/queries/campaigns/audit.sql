-- What somebody did to a campaign.
INSERT INTO audit_log (tenant_id, at, actor, action, object, detail)
VALUES (%(tenant)s, %(now)s, %(actor)s, %(action)s, %(object)s, %(detail)s::jsonb)

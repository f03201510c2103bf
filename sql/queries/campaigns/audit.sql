-- What somebody did to a campaign; the store itself writes when and who.
INSERT INTO audit_log (tenant_id, action, object, detail)
VALUES (%(tenant)s, %(action)s, %(object)s, %(detail)s::jsonb)

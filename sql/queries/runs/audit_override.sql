-- A person had the guard pass over a rule.
INSERT INTO audit_log (tenant_id, actor, action, object, detail)
VALUES (%(tenant)s, 'trigger form', 'guard overridden', %(object)s, %(detail)s::jsonb)

-- A new tenant; one that is there stays as it is and gives no row.
INSERT INTO tenants (parent_id, slug, title, kind, timezone, line_group)
VALUES (
    (SELECT tenant_id FROM tenants WHERE slug = %(parent)s),
    %(slug)s, %(title)s, %(kind)s, %(timezone)s, %(line_group)s
)
ON CONFLICT (slug) DO NOTHING
RETURNING tenant_id

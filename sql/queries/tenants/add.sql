-- A new tenant; one that is there stays as it is and gives no row. A group that is not there, or whose lines are kept for
-- test sends or authentication, violates the foreign key.
INSERT INTO tenants (parent_id, slug, title, kind, timezone, line_group)
VALUES (
    (SELECT tenant_id FROM tenants WHERE slug = %(parent)s),
    %(slug)s, %(title)s, %(kind)s, %(timezone)s,
    CASE WHEN %(line_group)s::text IS NOT NULL
         THEN coalesce((SELECT slug FROM line_groups WHERE slug = %(line_group)s AND kind = 'bulk'), '') END
)
ON CONFLICT (slug) DO NOTHING
RETURNING tenant_id

-- Tenants, carrier lines and the row-level security that every later table uses.
-- The roles bongsu_app and bongsu_platform exist already: they belong to the server, not to this database.

CREATE SCHEMA bongsu;
GRANT USAGE ON SCHEMA bongsu TO bongsu_app, bongsu_platform;

CREATE TABLE lines (
    line_no     smallint PRIMARY KEY CHECK (line_no BETWEEN 1 AND 99),
    table_name  text NOT NULL UNIQUE,
    kind        text NOT NULL CHECK (kind IN ('bulk', 'test', 'auth')),
    deliver_id  text NOT NULL,
    report_id   text NOT NULL,
    admin_port  integer NOT NULL,
    UNIQUE (line_no, kind)
);
COMMENT ON TABLE lines IS 'One SMS queue table with its carrier agent.';

CREATE TABLE line_groups (
    slug   text PRIMARY KEY,
    title  text NOT NULL,
    kind   text NOT NULL CHECK (kind IN ('bulk', 'test', 'auth')),
    UNIQUE (slug, kind)
);
COMMENT ON TABLE line_groups IS 'The lines that a tenant may use.';

CREATE TABLE line_group_lines (
    group_slug  text NOT NULL,
    line_no     smallint NOT NULL,
    kind        text NOT NULL,
    PRIMARY KEY (group_slug, line_no),
    FOREIGN KEY (group_slug, kind) REFERENCES line_groups (slug, kind),
    FOREIGN KEY (line_no, kind) REFERENCES lines (line_no, kind)
);
COMMENT ON COLUMN line_group_lines.kind IS 'A group holds lines of its own kind only; the two keys say so.';

CREATE TABLE tenants (
    tenant_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent_id   integer REFERENCES tenants,
    slug        text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    title       text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('headquarters', 'distributor', 'agency', 'branch')),
    timezone    text NOT NULL DEFAULT 'Asia/Seoul',
    line_group  text,
    group_kind  text GENERATED ALWAYS AS (CASE WHEN line_group IS NOT NULL THEN 'bulk' END) STORED,
    path        integer[] NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (line_group, group_kind) REFERENCES line_groups (slug, kind)
);
COMMENT ON COLUMN tenants.path IS 'Ids from the root of the tree down to this tenant; kept by tenants_keep_path.';
COMMENT ON COLUMN tenants.line_group IS 'Null: round robin over all bulk lines.';
COMMENT ON COLUMN tenants.group_kind IS 'A tenant gets bulk lines only: the test and the authentication line are for what they are for.';
CREATE INDEX tenants_path ON tenants USING gin (path);

CREATE FUNCTION bongsu.keep_path() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.parent_id IS DISTINCT FROM OLD.parent_id THEN
        RAISE EXCEPTION 'a tenant does not move in the tree: its rows are visible to its first parents';
    END IF;
    NEW.path := coalesce((SELECT path FROM tenants WHERE tenant_id = NEW.parent_id), '{}') || NEW.tenant_id;
    RETURN NEW;
END $$;
CREATE TRIGGER tenants_keep_path BEFORE INSERT OR UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION bongsu.keep_path();

-- The tenants that the session may see: the one it has named and those below it. Reads the tree as the owner, because
-- the policy on tenants itself needs the answer.
CREATE FUNCTION bongsu.visible_tenants() RETURNS integer[] LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path = public, pg_temp
AS $$
    SELECT coalesce(array_agg(tenant_id), '{}')
    FROM tenants
    WHERE path @> ARRAY[nullif(current_setting('app.tenant_id', true), '')::integer]
$$;

-- The lines that a tenant's messages of one traffic go over, in order: the test line, the authentication line, or the
-- bulk lines of its group, all of them when it has none.
CREATE FUNCTION bongsu.lines_of(of_tenant integer, traffic text) RETURNS smallint[] LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
    SELECT coalesce(array_agg(DISTINCT l.line_no ORDER BY l.line_no), '{}')
    FROM lines l JOIN line_group_lines g USING (line_no) JOIN tenants t ON t.tenant_id = of_tenant
    WHERE l.kind = traffic AND (traffic <> 'bulk' OR t.line_group IS NULL OR g.group_slug = t.line_group)
$$;

-- Row-level security for a tenant-owned table, the same for all. The owner is bound too (FORCE) but may see all: it
-- only runs migrations and the functions above.
CREATE PROCEDURE bongsu.protect(target regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY owner_all ON %s TO bongsu_owner USING (true) WITH CHECK (true)', target);
    EXECUTE format('CREATE POLICY platform_all ON %s TO bongsu_platform USING (true) WITH CHECK (true)', target);
    EXECUTE format(
        'CREATE POLICY own_tenants ON %s TO bongsu_app '
        'USING (tenant_id = ANY ((SELECT bongsu.visible_tenants())::integer[])) '
        'WITH CHECK (tenant_id = ANY ((SELECT bongsu.visible_tenants())::integer[]))', target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO bongsu_app, bongsu_platform', target);
END $$;

CALL bongsu.protect('tenants');
GRANT SELECT ON lines, line_groups, line_group_lines TO bongsu_app, bongsu_platform;
GRANT INSERT, UPDATE, DELETE ON lines, line_groups, line_group_lines TO bongsu_platform;
REVOKE INSERT, UPDATE, DELETE ON tenants FROM bongsu_app;

-- Campaigns, their versions, and the kill switch.

CREATE TABLE campaigns (
    campaign_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     integer NOT NULL REFERENCES tenants,
    slug          text NOT NULL,
    title         text NOT NULL,
    dag_id        text NOT NULL UNIQUE,
    state         text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'paused', 'archived')),
    version       integer NOT NULL,
    shard         smallint NOT NULL,
    activated_at  timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, slug),
    UNIQUE (tenant_id, campaign_id)
);
COMMENT ON COLUMN campaigns.shard IS 'The loader dags/campaigns_<shard>.py that builds its DAG; never changes.';
COMMENT ON COLUMN campaigns.activated_at IS 'When the current version came into force; nothing planned before it is sent.';
CALL bongsu.protect('campaigns');
REVOKE UPDATE, DELETE ON campaigns FROM bongsu_app;
GRANT UPDATE (title, state, version, activated_at) ON campaigns TO bongsu_app;

-- The id of a campaign's DAG follows from its tenant and its slug, so that no tenant can take the id of another's.
CREATE FUNCTION bongsu.name_dag() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    NEW.dag_id := 'campaign__' || (SELECT slug FROM tenants WHERE tenant_id = NEW.tenant_id) || '__' || NEW.slug;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION bongsu.name_dag FROM PUBLIC;
CREATE TRIGGER campaigns_name_dag BEFORE INSERT ON campaigns FOR EACH ROW EXECUTE FUNCTION bongsu.name_dag();

CREATE TABLE campaign_versions (
    tenant_id     integer NOT NULL,
    campaign_id   bigint NOT NULL,
    version       integer NOT NULL,
    spec          jsonb NOT NULL,
    spec_hash     text NOT NULL,
    content_hash  bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, campaign_id, version),
    FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaigns (tenant_id, campaign_id)
);
COMMENT ON TABLE campaign_versions IS 'A version never changes; a run names the one it began with.';
COMMENT ON COLUMN campaign_versions.content_hash IS 'SHA-256 of the message part of the definition, in canonical JSON.';
CALL bongsu.protect('campaign_versions');
REVOKE UPDATE, DELETE ON campaign_versions FROM bongsu_app, bongsu_platform;

CREATE TABLE kill_switches (
    tenant_id  integer NOT NULL REFERENCES tenants PRIMARY KEY,
    reason     text NOT NULL,
    set_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE kill_switches IS 'While a row stands, no run of the tenant or of one below it starts.';
CALL bongsu.protect('kill_switches');
-- only the platform stops a tenant, and only the platform lets it go on
REVOKE INSERT, UPDATE, DELETE ON kill_switches FROM bongsu_app;

-- The switch that stops a tenant may stand on an ancestor, which the tenant itself cannot see. Only those who may see
-- the tenant get an answer.
CREATE FUNCTION bongsu.kill_switch(of_tenant integer) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
    SELECT k.reason
    FROM tenants t JOIN kill_switches k ON k.tenant_id = ANY (t.path)
    WHERE t.tenant_id = of_tenant
      AND (session_user = 'bongsu_platform' OR of_tenant = ANY (bongsu.visible_tenants()))
    ORDER BY k.set_at LIMIT 1
$$;

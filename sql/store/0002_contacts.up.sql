-- Contacts with consent and suppression. A person is found by a keyed blind index of the number, never by the number.

CREATE TABLE contacts (
    contact_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    integer NOT NULL REFERENCES tenants,
    phone_index  bytea,
    last4_index  bytea,
    phone_enc    bytea,
    name_enc     bytea,
    external_id  text,
    tags         text[] NOT NULL DEFAULT '{}' CHECK (array_position(tags, NULL) IS NULL AND '' <> ALL (tags)),
    region       text CHECK (region <> ''),
    source       text NOT NULL CHECK (source IN ('upload', 'sync', 'manual')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    erased_at    timestamptz,
    UNIQUE (tenant_id, phone_index),
    UNIQUE (tenant_id, external_id),
    CHECK (erased_at IS NULL OR (num_nonnulls(phone_index, last4_index, phone_enc, name_enc, external_id, region) = 0
                                 AND tags = '{}'))
);
COMMENT ON COLUMN contacts.last4_index IS 'Blind index of the last four digits, in a domain of its own.';
COMMENT ON COLUMN contacts.erased_at IS 'Erasing a person destroys what identifies them and keeps the row.';
-- contact_id comes last: a page of matches is read off the index in its order, however many match
CREATE INDEX contacts_last4 ON contacts (tenant_id, last4_index, contact_id) WHERE last4_index IS NOT NULL;
CREATE INDEX contacts_region ON contacts (tenant_id, region, contact_id) WHERE region IS NOT NULL;
CALL bongsu.protect('contacts');

-- The tags as rows. Row-level security lets an index answer only operators that leak nothing: = is one, @> of an array
-- is not, so a GIN index on contacts.tags would never be used.
CREATE TABLE contact_tags (
    tenant_id   integer NOT NULL,
    contact_id  bigint NOT NULL,
    tag         text NOT NULL,
    region      text,
    PRIMARY KEY (tenant_id, tag, contact_id)
);
COMMENT ON TABLE contact_tags IS 'What contacts.tags and contacts.region say, for searching; kept by the triggers of contacts.';
CREATE INDEX contact_tags_region ON contact_tags (tenant_id, tag, region, contact_id) WHERE region IS NOT NULL;
CALL bongsu.protect('contact_tags');
REVOKE INSERT, UPDATE, DELETE ON contact_tags FROM bongsu_app;

-- Keeps contact_tags, one statement for all rows of the statement that changed contacts.
CREATE FUNCTION bongsu.keep_contact_tags() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO contact_tags (tenant_id, contact_id, tag, region)
        SELECT DISTINCT n.tenant_id, n.contact_id, tag, n.region FROM new_rows n, unnest(n.tags) AS tag;
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM contact_tags g USING old_rows o, unnest(o.tags) AS old_tag
        WHERE (g.tenant_id, g.tag, g.contact_id) = (o.tenant_id, old_tag, o.contact_id);
    ELSE
        DELETE FROM contact_tags g USING old_rows o JOIN new_rows n USING (contact_id), unnest(o.tags) AS old_tag
        WHERE (g.tenant_id, g.tag, g.contact_id) = (o.tenant_id, old_tag, o.contact_id)
          AND (o.tenant_id, o.tags, o.region) IS DISTINCT FROM (n.tenant_id, n.tags, n.region);
        INSERT INTO contact_tags (tenant_id, contact_id, tag, region)
        SELECT DISTINCT n.tenant_id, n.contact_id, tag, n.region
        FROM new_rows n JOIN old_rows o USING (contact_id), unnest(n.tags) AS tag
        WHERE (o.tenant_id, o.tags, o.region) IS DISTINCT FROM (n.tenant_id, n.tags, n.region);
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION bongsu.keep_contact_tags FROM PUBLIC;
CREATE TRIGGER contacts_keep_tags_inserted AFTER INSERT ON contacts REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION bongsu.keep_contact_tags();
CREATE TRIGGER contacts_keep_tags_updated AFTER UPDATE ON contacts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION bongsu.keep_contact_tags();
CREATE TRIGGER contacts_keep_tags_deleted AFTER DELETE ON contacts REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION bongsu.keep_contact_tags();

CREATE TABLE consents (
    tenant_id    integer NOT NULL REFERENCES tenants,
    phone_index  bytea NOT NULL,
    channel      text NOT NULL CHECK (channel IN ('sms')),
    purpose      text NOT NULL CHECK (purpose IN ('advertising', 'informational')),
    granted      boolean NOT NULL,
    evidence     text NOT NULL,
    source       text NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    PRIMARY KEY (tenant_id, phone_index, channel, purpose)
);
COMMENT ON COLUMN consents.granted IS 'false is a refusal or withdrawal; it beats everything else.';
CALL bongsu.protect('consents');

CREATE TABLE suppressions (
    tenant_id    integer NOT NULL REFERENCES tenants,
    phone_index  bytea NOT NULL,
    reason       text NOT NULL CHECK (reason IN ('suppressed', 'opted_out')),
    source       text NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, phone_index, reason)
);
COMMENT ON COLUMN suppressions.reason IS 'suppressed: never written to; opted_out: no advertising.';
CALL bongsu.protect('suppressions');
-- a refusal that was recorded stays recorded
REVOKE UPDATE, DELETE ON suppressions FROM bongsu_app;

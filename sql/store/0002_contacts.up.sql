-- Contacts with consent and suppression. A person is found by a keyed blind index of the number, never by the number.

CREATE TABLE contacts (
    contact_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    integer NOT NULL REFERENCES tenants,
    phone_index  bytea,
    phone_enc    bytea,
    name_enc     bytea,
    external_id  text,
    source       text NOT NULL CHECK (source IN ('upload', 'sync', 'manual')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    erased_at    timestamptz,
    UNIQUE (tenant_id, phone_index),
    UNIQUE (tenant_id, external_id),
    CHECK (erased_at IS NULL OR (phone_index IS NULL AND phone_enc IS NULL AND name_enc IS NULL))
);
COMMENT ON COLUMN contacts.erased_at IS 'Erasing a person destroys what identifies them and keeps the row.';
CALL bongsu.protect('contacts');

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

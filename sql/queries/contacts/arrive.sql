-- A table of the session that COPY may write; it goes when the transaction ends.
CREATE TEMPORARY TABLE arriving_contacts (
    position     integer NOT NULL,
    phone_index  bytea NOT NULL,
    last4_index  bytea NOT NULL,
    phone_enc    bytea NOT NULL,
    name_enc     bytea,
    external_id  text,
    tags         text[] NOT NULL,
    region       text
) ON COMMIT DROP

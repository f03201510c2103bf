-- A table of the session that COPY may write; it goes when the transaction ends.
CREATE TEMPORARY TABLE arriving (
    row_no         integer NOT NULL,
    blanks         bigint NOT NULL,
    consent        boolean,
    kind           text,
    phone_index    bytea,
    payload_enc    bytea,
    reject_field   text,
    reject_reason  text,
    reject_detail  text,
    masked_value   text
) ON COMMIT DROP

-- The two sets of an audit, as keyed digests: who was to get what, and what the line's tables hold.
CREATE TEMPORARY TABLE audit_people (
    recipient_no integer NOT NULL, number bytea, message bytea
) ON COMMIT DROP;
CREATE TEMPORARY TABLE audit_rows (
    recipient_no integer, chunk_no integer, line_no integer NOT NULL, number bytea NOT NULL, message bytea NOT NULL,
    kind text NOT NULL, code integer NOT NULL, handed_over float8 NOT NULL, answered float8 NOT NULL
) ON COMMIT DROP

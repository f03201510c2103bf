-- The two sets of an audit, as keyed digests: who was to get what, and what the line's tables hold. A code or a time that
-- the carrier's side has made impossible is null.
CREATE TEMPORARY TABLE audit_people (
    recipient_no integer NOT NULL, number bytea, message bytea
) ON COMMIT DROP;
CREATE TEMPORARY TABLE audit_rows (
    recipient_no integer, chunk_no integer, line_no integer NOT NULL, number bytea NOT NULL, message bytea NOT NULL,
    kind text NOT NULL, code integer, handed_over float8, answered float8
) ON COMMIT DROP

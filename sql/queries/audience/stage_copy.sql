-- Rows of the file as they are read, into the run's own table. It was made in this transaction, so that nobody has to
-- look up later whether they are committed (FREEZE).
COPY {staged} (tenant_id, row_no, blanks, consent, kind, phone_index, payload_enc,
               reject_field, reject_reason, reject_detail, masked_value)
FROM STDIN WITH (FORMAT binary, FREEZE)

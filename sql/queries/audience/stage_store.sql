-- From the session's table into the staging table, under row-level security.
INSERT INTO staged_targets (tenant_id, row_no, run_id, blanks, consent, kind, phone_index, payload_enc,
                            reject_field, reject_reason, reject_detail, masked_value)
SELECT %(tenant)s, row_no, %(run)s, blanks, consent, kind::"char", phone_index, payload_enc,
       reject_field, reject_reason, reject_detail, masked_value
FROM arriving

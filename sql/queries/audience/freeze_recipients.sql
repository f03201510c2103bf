-- The recipients, numbered from 1 in the order of the file.
INSERT INTO recipients (tenant_id, recipient_no, run_id, row_no, kind, phone_index, payload_enc)
SELECT %(tenant)s, v.recipient_no, %(run)s, v.row_no, s.kind, s.phone_index, s.payload_enc
FROM verdicts v
JOIN staged_targets s ON s.run_id = %(run)s AND s.row_no = v.row_no
WHERE v.recipient_no IS NOT NULL
ORDER BY v.recipient_no

-- The recipients, numbered from 1 in the order of the file.
INSERT INTO recipients (tenant_id, recipient_no, run_id, row_no, month, kind, phone_index, payload_enc)
SELECT %(tenant)s, row_number() OVER (ORDER BY s.row_no), %(run)s, s.row_no, %(month)s, s.kind,
       s.phone_index, s.payload_enc
FROM {staged} s
WHERE s.kind IS NOT NULL AND NOT EXISTS (SELECT FROM verdicts v WHERE v.row_no = s.row_no)
ORDER BY s.row_no

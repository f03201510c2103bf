-- Rows of the file as they are read.
COPY arriving (row_no, blanks, consent, kind, phone_index, payload_enc,
               reject_field, reject_reason, reject_detail, masked_value)
FROM STDIN WITH (FORMAT binary)

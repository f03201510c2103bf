-- The next recipients of the frozen audience.
SELECT recipient_no, row_no, phone_index, payload_enc
FROM recipients
WHERE run_id = %(run)s AND month = %(month)s AND recipient_no > %(after)s
ORDER BY recipient_no
LIMIT %(limit)s

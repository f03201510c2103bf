-- The next recipients of the frozen audience.
SELECT recipient_no, payload_enc
FROM recipients
WHERE run_id = %(run)s AND recipient_no > %(after)s
ORDER BY recipient_no
LIMIT %(limit)s

-- The claimed messages of a chunk with their sealed rows, in the order of their recipients.
SELECT m.recipient_no, m.kind::text, r.payload_enc
FROM messages m
JOIN recipients r ON r.run_id = m.run_id AND r.recipient_no = m.recipient_no
WHERE m.run_id = %(run)s AND m.run_at = %(run_at)s AND m.hop = %(hop)s AND m.outcome IS NULL
  AND m.recipient_no BETWEEN %(first)s AND %(last)s
  AND r.run_id = %(run)s AND r.recipient_no BETWEEN %(first)s AND %(last)s
ORDER BY m.recipient_no

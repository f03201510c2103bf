-- The claimed messages of a chunk with their sealed rows, in the order of their recipients.
SELECT m.recipient_no, r.payload_enc
FROM messages m
JOIN recipients r ON r.run_id = m.run_id AND r.recipient_no = m.recipient_no
JOIN chunks c ON c.run_id = m.run_id AND c.hop = m.hop AND c.chunk_no = %(chunk)s
WHERE m.run_id = %(run)s AND m.run_at = %(run_at)s AND m.hop = %(hop)s AND m.state = 'pending'
  AND m.recipient_no BETWEEN c.first_no AND c.last_no
ORDER BY m.recipient_no

-- The claimed messages of a chunk with their sealed rows, in the order of their recipients. A chunk is claimed as a whole,
-- so they are its recipients; who was withdrawn has to be looked up only where somebody was.
SELECT r.recipient_no, r.kind::text, r.payload_enc
FROM recipients r
WHERE r.run_id = %(run)s AND r.recipient_no BETWEEN %(first)s AND %(last)s
  AND (%(withdrawn)s = 0
       OR NOT EXISTS (SELECT FROM messages m
                      WHERE m.run_id = %(run)s AND m.run_at = %(run_at)s AND m.hop = %(hop)s
                        AND m.recipient_no = r.recipient_no AND m.outcome IS NOT NULL))
ORDER BY r.recipient_no

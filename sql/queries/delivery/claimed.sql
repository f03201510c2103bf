-- The claimed messages of a chunk with their sealed rows, in the order of their recipients. A chunk is claimed as a whole,
-- so they are its recipients; who was withdrawn has to be looked up only where somebody was. What a row is sealed to, its
-- number in the file and its index, comes as the bytes that the cipher wants.
SELECT r.recipient_no, r.kind::text, int4send(r.row_no) || r.phone_index, r.payload_enc
FROM recipients r
WHERE r.run_id = %(run)s AND r.month = %(month)s AND r.recipient_no BETWEEN %(first)s AND %(last)s
  AND (%(withdrawn)s = 0
       OR NOT EXISTS (SELECT FROM messages m
                      WHERE m.run_id = %(run)s AND m.month = %(month)s AND m.hop = %(hop)s
                        AND m.recipient_no = r.recipient_no AND m.outcome IS NOT NULL))
ORDER BY r.recipient_no

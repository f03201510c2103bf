-- The claimed messages of a chunk with their sealed rows, in the order of their recipients. The row is looked up by key
-- and not joined: the run is new to the planner's statistics, and a join it believes to be of one row by one row goes
-- over all pairs.
SELECT m.recipient_no,
       (SELECT r.payload_enc FROM recipients r WHERE r.run_id = %(run)s AND r.recipient_no = m.recipient_no)
FROM messages m
WHERE m.run_id = %(run)s AND m.run_at = %(run_at)s AND m.hop = %(hop)s AND m.state = 'pending'
  AND m.recipient_no BETWEEN %(first)s AND %(last)s
ORDER BY m.recipient_no

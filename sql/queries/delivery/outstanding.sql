-- Accepted messages of a run without a result.
SELECT count(*)
FROM chunks c
JOIN messages m ON m.run_id = c.run_id AND m.hop = c.hop AND m.run_at = %(run_at)s
               AND m.recipient_no BETWEEN c.first_no AND c.last_no AND m.state = 'accepted'
WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.state = 'accepted'

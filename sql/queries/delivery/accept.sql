-- The line has taken the chunk, and with it every message of it that has no outcome yet; no row when the chunk was accepted
-- before.
UPDATE chunks c
SET state = 'accepted',
    handed_over_at = now(),
    accepted = counted.messages
FROM (
    SELECT count(*)::integer AS messages
    FROM messages
    WHERE run_id = %(run)s AND month = %(month)s AND hop = %(hop)s AND outcome IS NULL
      AND recipient_no BETWEEN %(first)s AND %(last)s
) counted
WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.chunk_no = %(chunk)s AND c.state = 'planned'
RETURNING c.accepted

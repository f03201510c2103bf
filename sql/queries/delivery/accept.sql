-- The line has taken the chunk: its claims become accepted, the chunk with them. Answers accepted and withdrawn; no row
-- when the chunk was accepted before.
WITH accepted AS (
    UPDATE messages
    SET state = 'accepted', accepted_at = now()
    WHERE run_id = %(run)s AND run_at = %(run_at)s AND hop = %(hop)s AND state = 'pending'
      AND recipient_no BETWEEN %(first)s AND %(last)s
    RETURNING recipient_no
),
counted AS (
    SELECT count(*)::integer AS messages FROM accepted
)
UPDATE chunks c
SET state = 'accepted',
    handed_over_at = now(),
    accepted = counted.messages,
    withdrawn = c.last_no - c.first_no + 1 - counted.messages
FROM counted
WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.chunk_no = %(chunk)s AND c.state = 'planned'
RETURNING c.accepted, c.withdrawn

-- The line has taken the chunk: its claims become accepted, the chunk with them. Answers accepted and withdrawn; no row
-- when the chunk was accepted before.
WITH accepted AS (
    UPDATE messages m
    SET state = 'accepted', accepted_at = now()
    FROM chunks c
    WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.chunk_no = %(chunk)s
      AND m.run_id = c.run_id AND m.run_at = %(run_at)s AND m.hop = c.hop AND m.state = 'pending'
      AND m.recipient_no BETWEEN c.first_no AND c.last_no
    RETURNING m.recipient_no
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

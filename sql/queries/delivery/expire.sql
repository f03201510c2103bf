-- The receipt window has closed: accepted messages without a result are expired, their chunks final.
WITH expired AS (
    UPDATE messages m
    SET state = 'expired', finished_at = now()
    FROM chunks c
    WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.state = 'accepted'
      AND m.run_id = c.run_id AND m.run_at = %(run_at)s AND m.hop = c.hop AND m.state = 'accepted'
      AND m.recipient_no BETWEEN c.first_no AND c.last_no
    RETURNING m.recipient_no
),
noted AS (
    INSERT INTO message_events (tenant_id, recipient_no, run_id, run_at, occurred_at, hop, event)
    SELECT %(tenant)s, recipient_no, %(run)s, %(run_at)s, now(), %(hop)s, 'expired' FROM expired
),
closed AS (
    UPDATE chunks SET state = 'final', final_at = now()
    WHERE run_id = %(run)s AND hop = %(hop)s AND state = 'accepted'
)
SELECT count(*) FROM expired

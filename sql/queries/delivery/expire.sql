-- The receipt window has closed: a chunk's accepted messages without a result are expired, the chunk is final.
WITH expired AS (
    UPDATE messages
    SET outcome = 'expired', finished_at = now()
    WHERE run_id = %(run)s AND month = %(month)s AND hop = %(hop)s AND outcome IS NULL
      AND recipient_no BETWEEN %(first)s AND %(last)s
    RETURNING recipient_no
),
noted AS (
    INSERT INTO message_events (tenant_id, recipient_no, run_id, occurred_at, hop, month, event)
    SELECT %(tenant)s, recipient_no, %(run)s, now(), %(hop)s, %(month)s, 'expired' FROM expired
),
closed AS (
    UPDATE chunks SET state = 'final', final_at = now()
    WHERE run_id = %(run)s AND hop = %(hop)s AND chunk_no = %(chunk)s AND state = 'accepted'
)
SELECT count(*) FROM expired

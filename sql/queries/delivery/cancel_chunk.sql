-- The run was cancelled before anything of this chunk left: claim what is not claimed, so that everybody has a last state,
-- and cancel it. Runs only under the chunk's lock, with no marker. Answers how many people.
WITH stopped AS (
    UPDATE messages
    SET outcome = 'cancelled', finished_at = now()
    WHERE run_id = %(run)s AND month = %(month)s AND hop = %(hop)s AND outcome IS NULL
      AND recipient_no BETWEEN %(first)s AND %(last)s
    RETURNING recipient_no
),
never_claimed AS (
    INSERT INTO messages (tenant_id, recipient_no, run_id, chunk_no, hop, month, kind, outcome, finished_at)
    SELECT %(tenant)s, r.recipient_no, %(run)s, %(chunk)s, %(hop)s, %(month)s, r.kind, 'cancelled', now()
    FROM recipients r
    WHERE r.run_id = %(run)s AND r.month = %(month)s AND r.recipient_no BETWEEN %(first)s AND %(last)s
      AND NOT EXISTS (SELECT FROM messages m
                      WHERE m.run_id = %(run)s AND m.month = %(month)s AND m.hop = %(hop)s
                        AND m.recipient_no = r.recipient_no)
    RETURNING recipient_no
),
taken_back AS (
    SELECT recipient_no FROM stopped UNION ALL SELECT recipient_no FROM never_claimed
),
noted AS (
    INSERT INTO message_events (tenant_id, recipient_no, run_id, occurred_at, hop, month, event)
    SELECT %(tenant)s, recipient_no, %(run)s, now(), %(hop)s, %(month)s, 'cancelled' FROM taken_back
)
UPDATE chunks
SET state = 'final', cancelled = (SELECT count(*) FROM taken_back), final_at = now()
WHERE run_id = %(run)s AND hop = %(hop)s AND chunk_no = %(chunk)s AND state = 'planned'
RETURNING cancelled

-- Of a chunk that its line says to have taken, messages that the line's tables (in receipts) do not hold: nobody can tell
-- what became of them, so they are never written to again. Answers how many messages the tables hold.
WITH found AS MATERIALIZED (
    SELECT DISTINCT recipient_no FROM receipts WHERE recipient_no IS NOT NULL
),
lost AS (
    UPDATE messages m
    SET outcome = 'unknown', finished_at = now()
    WHERE m.run_id = %(run)s AND m.month = %(month)s AND m.hop = %(hop)s AND m.outcome IS NULL
      AND m.recipient_no BETWEEN %(first)s AND %(last)s
      AND m.recipient_no NOT IN (SELECT recipient_no FROM found)
    RETURNING m.recipient_no
),
noted AS (
    INSERT INTO message_events (tenant_id, recipient_no, run_id, occurred_at, hop, month, event)
    SELECT %(tenant)s, recipient_no, %(run)s, now(), %(hop)s, %(month)s, 'unknown' FROM lost
)
SELECT count(*) FROM found

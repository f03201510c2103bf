-- Take back the claims on people who have refused, were erased, or whose recorded consent is over since the freeze, and
-- answer how many the chunk has lost so far. Runs only while nothing of the chunk has left.
WITH refused AS MATERIALIZED (
    SELECT r.recipient_no
    FROM recipients r
    WHERE r.run_id = %(run)s AND r.month = %(month)s AND r.recipient_no BETWEEN %(first)s AND %(last)s
      AND (r.payload_enc IS NULL
           OR EXISTS (SELECT FROM suppressions s
                      WHERE s.tenant_id = %(tenant)s AND s.phone_index = r.phone_index
                        AND (s.reason = 'suppressed' OR %(advertising)s))
           OR %(advertising)s AND EXISTS (
                   SELECT FROM consents c
                   WHERE c.tenant_id = %(tenant)s AND c.phone_index = r.phone_index
                     AND c.channel = %(channel)s AND c.purpose = 'advertising' AND NOT c.granted)
           OR %(recorded)s AND NOT EXISTS (
                   SELECT FROM consents c
                   WHERE c.tenant_id = %(tenant)s AND c.phone_index = r.phone_index
                     AND c.channel = %(channel)s AND c.purpose = 'advertising' AND c.granted
                     AND (c.expires_at IS NULL OR c.expires_at > now())))
),
withdrawn AS (
    UPDATE messages m
    SET outcome = 'withdrawn', finished_at = now()
    WHERE m.run_id = %(run)s AND m.month = %(month)s AND m.hop = %(hop)s AND m.outcome IS NULL
      AND m.recipient_no BETWEEN %(first)s AND %(last)s
      AND m.recipient_no IN (SELECT recipient_no FROM refused)
    RETURNING m.recipient_no
),
noted AS (
    INSERT INTO message_events (tenant_id, recipient_no, run_id, occurred_at, hop, month, event)
    SELECT %(tenant)s, recipient_no, %(run)s, now(), %(hop)s, %(month)s, 'withdrawn' FROM withdrawn
)
UPDATE chunks c
SET withdrawn = c.withdrawn + (SELECT count(*) FROM withdrawn)
WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.chunk_no = %(chunk)s
RETURNING c.withdrawn

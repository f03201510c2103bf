-- Settle the chunk's accepted messages with their results: 6 is a delivered SMS, 1000 a delivered LMS or MMS, 1800 a
-- delivered KakaoTalk; 100 is no result yet; every other code is a failure. A result that comes again changes nothing.
WITH changed AS (
    UPDATE messages m
    SET outcome = CASE WHEN r.code = CASE m.kind WHEN 'S' THEN 6 WHEN 'K' THEN 1800 ELSE 1000 END
                     THEN 'delivered' ELSE 'failed' END,
        result_code = r.code,
        finished_at = coalesce(to_timestamp(r.moment), now())
    FROM (SELECT DISTINCT ON (recipient_no) recipient_no, code, moment
          FROM receipts WHERE code <> 100 ORDER BY recipient_no, moment) r
    WHERE m.run_id = %(run)s AND m.month = %(month)s AND m.hop = %(hop)s AND m.recipient_no = r.recipient_no
      AND m.recipient_no BETWEEN %(first)s AND %(last)s AND m.outcome IS NULL
    RETURNING m.recipient_no, m.outcome, m.result_code, m.finished_at
),
noted AS (
    INSERT INTO message_events (tenant_id, recipient_no, run_id, occurred_at, hop, month, result_code, event)
    SELECT %(tenant)s, recipient_no, %(run)s, finished_at, %(hop)s, %(month)s, result_code, outcome FROM changed
)
SELECT count(*) FROM changed

-- Claim a chunk's recipients: one row per (run, recipient, hop) before anything leaves. The claims of a chunk stand or
-- fall together, so a repeated try finds all of them and adds none.
INSERT INTO messages (tenant_id, recipient_no, run_id, chunk_no, hop, month, kind)
SELECT %(tenant)s, recipient_no, %(run)s, %(chunk)s, %(hop)s, %(month)s, kind
FROM recipients
WHERE run_id = %(run)s AND month = %(month)s AND recipient_no BETWEEN %(first)s AND %(last)s
  AND NOT EXISTS (SELECT FROM messages
                  WHERE run_id = %(run)s AND month = %(month)s AND hop = %(hop)s
                    AND recipient_no BETWEEN %(first)s AND %(last)s)

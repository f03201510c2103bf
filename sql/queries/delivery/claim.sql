-- Claim a chunk's recipients: one row per (run, recipient, hop) before anything leaves. The claims of a chunk stand or
-- fall together, so a repeated try finds all of them and adds none.
INSERT INTO messages (tenant_id, recipient_no, run_id, run_at, chunk_no, hop, kind)
SELECT %(tenant)s, recipient_no, %(run)s, %(run_at)s, %(chunk)s, %(hop)s, kind
FROM recipients
WHERE run_id = %(run)s AND recipient_no BETWEEN %(first)s AND %(last)s
  AND NOT EXISTS (SELECT FROM messages
                  WHERE run_id = %(run)s AND run_at = %(run_at)s AND hop = %(hop)s
                    AND recipient_no BETWEEN %(first)s AND %(last)s)

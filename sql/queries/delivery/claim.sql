-- Claim a chunk's recipients: one row per (run, recipient, hop) before anything leaves. A repeated try adds none.
INSERT INTO messages (tenant_id, recipient_no, run_id, run_at, hop, line_no, chunk_no, kind)
SELECT %(tenant)s, recipient_no, %(run)s, %(run_at)s, %(hop)s, %(line)s, %(chunk)s, kind
FROM recipients
WHERE run_id = %(run)s AND recipient_no BETWEEN %(first)s AND %(last)s
ON CONFLICT (run_id, recipient_no, hop, run_at) DO NOTHING

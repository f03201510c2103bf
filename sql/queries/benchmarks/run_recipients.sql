-- The audience that the messages of a run went to; without what identifies the people, which no report reads.
INSERT INTO recipients (tenant_id, recipient_no, run_id, row_no, kind)
SELECT tenant_id, recipient_no, run_id, recipient_no, kind
FROM messages
WHERE run_id = %(run)s AND run_at = %(run_at)s

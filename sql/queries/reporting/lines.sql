-- Per line.
INSERT INTO report_lines (tenant_id, run_id, line_no, accepted, delivered, failed, expired)
SELECT tenant_id, run_id, line_no, sum(accepted), sum(delivered), sum(failed), sum(expired)
FROM report_chunks
WHERE run_id = %(run)s
GROUP BY tenant_id, run_id, line_no
ON CONFLICT (tenant_id, run_id, line_no) DO UPDATE
SET accepted = excluded.accepted, delivered = excluded.delivered, failed = excluded.failed, expired = excluded.expired

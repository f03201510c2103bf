-- Per chunk.
INSERT INTO report_chunks (tenant_id, run_id, hop, chunk_no, line_no, accepted, delivered, failed, expired)
SELECT %(tenant)s, %(run)s, hop, chunk_no, line_no,
       coalesce(sum(messages) FILTER (WHERE state IN ('accepted', 'delivered', 'failed', 'expired')), 0),
       coalesce(sum(messages) FILTER (WHERE state = 'delivered'), 0),
       coalesce(sum(messages) FILTER (WHERE state = 'failed'), 0),
       coalesce(sum(messages) FILTER (WHERE state = 'expired'), 0)
FROM tally
GROUP BY hop, chunk_no, line_no
ON CONFLICT (tenant_id, run_id, hop, chunk_no) DO UPDATE
SET accepted = excluded.accepted, delivered = excluded.delivered, failed = excluded.failed, expired = excluded.expired

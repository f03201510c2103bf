-- Everything the report of a run says, but for its stages.
SELECT r.run_id, c.slug, c.title, r.state, r.refusal, r.test_send,
       coalesce(t.rows_read, r.rows_read, 0) AS rows_read,
       coalesce(x.rejected, '{}') AS rejected,
       coalesce(t.duplicates, x.duplicates, 0) AS duplicates,
       coalesce(x.excluded, '{}') AS excluded,
       coalesce(t.recipients, k.recipients, 0) AS recipients,
       coalesce(t.withdrawn, k.withdrawn, 0) AS withdrawn,
       coalesce(t.cancelled, k.cancelled, 0) AS cancelled,
       k.chunks,
       coalesce(t.accepted, k.accepted, 0) AS accepted,
       coalesce(t.delivered, 0) AS delivered,
       coalesce((SELECT jsonb_object_agg(code.result_code, code.messages ORDER BY code.result_code)
                 FROM report_codes code
                 WHERE code.tenant_id = r.tenant_id AND code.run_id = r.run_id AND code.state = 'failed'), '{}') AS failed,
       coalesce(t.expired, 0) AS expired,
       coalesce(t.waiting, 0) AS waiting,
       coalesce(t.unknown, 0) AS unknown,
       coalesce(t.stray, 0) AS stray,
       coalesce(t.twice, 0) AS twice,
       t.send_rate::float8, t.reach_rate::float8, t.mean_reach_seconds::float8,
       f.closed IS NOT NULL AS has_certificate, coalesce(f.closed, false) AS books_closed,
       coalesce((SELECT jsonb_object_agg(l.table_name, p.accepted ORDER BY p.line_no)
                 FROM report_lines p JOIN lines l USING (line_no)
                 WHERE p.tenant_id = r.tenant_id AND p.run_id = r.run_id), '{}') AS lines,
       r.run_at::text AS started_at, r.finished_at::text AS finished_at
FROM runs r
JOIN campaigns c USING (tenant_id, campaign_id)
LEFT JOIN report_runs t USING (tenant_id, run_id)
LEFT JOIN LATERAL (
    SELECT closed FROM certificates WHERE tenant_id = r.tenant_id AND run_id = r.run_id
    ORDER BY certificate_id DESC LIMIT 1
) f ON true
CROSS JOIN LATERAL (
    -- before the books are closed, the chunks say how far it is
    SELECT count(*) AS chunks, max(last_no) AS recipients, sum(withdrawn) AS withdrawn, sum(cancelled) AS cancelled,
           sum(accepted) AS accepted
    FROM chunks WHERE tenant_id = r.tenant_id AND run_id = r.run_id
) k
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(reason, n ORDER BY n DESC) FILTER (WHERE outcome = 'rejected') AS rejected,
           jsonb_object_agg(reason, n ORDER BY n DESC) FILTER (WHERE outcome = 'excluded') AS excluded,
           sum(n) FILTER (WHERE outcome = 'duplicate')::integer AS duplicates
    FROM (SELECT outcome, reason, count(*)::integer AS n FROM exclusions e
          WHERE e.run_id = r.run_id AND e.month = r.month GROUP BY 1, 2) counted
) x
WHERE r.run_id = %s

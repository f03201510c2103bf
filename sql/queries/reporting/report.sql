-- Everything the report of a run says, but for its stages.
SELECT r.run_id, c.slug, c.title, r.state, r.refusal, r.test_send,
       coalesce(t.rows_read, r.rows_read, 0) AS rows_read,
       coalesce(x.rejected, '{}') AS rejected,
       coalesce(t.duplicates, x.duplicates, 0) AS duplicates,
       coalesce(x.excluded, '{}') AS excluded,
       coalesce(t.recipients, 0) AS recipients,
       coalesce(t.withdrawn, 0) AS withdrawn,
       (SELECT count(*) FROM chunks k WHERE k.run_id = r.run_id) AS chunks,
       coalesce(t.accepted, 0) AS accepted,
       coalesce(t.delivered, 0) AS delivered,
       coalesce((SELECT jsonb_object_agg(code.result_code, code.messages ORDER BY code.result_code)
                 FROM report_codes code
                 WHERE code.run_id = r.run_id AND code.state = 'failed'), '{}') AS failed,
       coalesce(t.expired, 0) AS expired,
       coalesce(t.waiting, 0) AS waiting,
       coalesce(t.unknown, 0) AS unknown,
       coalesce(t.stray, 0) AS stray,
       coalesce(t.twice, 0) AS twice,
       t.send_rate::float8, t.reach_rate::float8, t.mean_reach_seconds::float8,
       coalesce(f.closed, false) AS books_closed,
       coalesce((SELECT jsonb_object_agg(l.table_name, p.accepted ORDER BY p.line_no)
                 FROM report_lines p JOIN lines l USING (line_no) WHERE p.run_id = r.run_id), '{}') AS lines,
       r.run_at::text AS started_at, r.finished_at::text AS finished_at
FROM runs r
JOIN campaigns c USING (campaign_id)
LEFT JOIN report_runs t USING (run_id)
LEFT JOIN certificates f USING (run_id)
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(reason, n ORDER BY n DESC) FILTER (WHERE outcome = 'rejected') AS rejected,
           jsonb_object_agg(reason, n ORDER BY n DESC) FILTER (WHERE outcome = 'excluded') AS excluded,
           sum(n) FILTER (WHERE outcome = 'duplicate')::integer AS duplicates
    FROM (SELECT outcome, reason, count(*)::integer AS n FROM exclusions e WHERE e.run_id = r.run_id GROUP BY 1, 2) counted
) x
WHERE r.run_id = %s

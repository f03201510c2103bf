-- The run as a whole. Rates as spec/automata-signal-api defines them: send = accepted / (accepted + refused),
-- reach = delivered / accepted; counts are cumulative, so what was delivered was accepted too.
INSERT INTO report_runs (tenant_id, run_id, rows_read, rejected, duplicates, excluded, recipients, withdrawn, cancelled,
                         claimed, accepted, refused_by_line, unknown, delivered, failed, expired, waiting, line_rows,
                         stray, twice, send_rate, reach_rate, mean_reach_seconds)
SELECT %(tenant)s, %(run)s, coalesce(r.rows_read, 0), x.rejected, x.duplicates, x.excluded, p.recipients, m.withdrawn,
       m.cancelled, m.claimed, m.accepted, m.refused, m.unknown, m.delivered, m.failed, m.expired, m.waiting, c.line_rows,
       c.stray, c.twice,
       round(100.0 * m.accepted / nullif(m.accepted + m.refused, 0), 2),
       round(100.0 * m.delivered / nullif(m.accepted, 0), 2),
       round((m.reach_seconds / nullif(m.delivered, 0))::numeric, 3)
FROM runs r
CROSS JOIN (
    SELECT count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
           count(*) FILTER (WHERE outcome = 'duplicate') AS duplicates,
           count(*) FILTER (WHERE outcome = 'excluded') AS excluded
    FROM exclusions WHERE run_id = %(run)s AND month = %(month)s
) x
CROSS JOIN (SELECT count(*) AS recipients FROM recipients WHERE run_id = %(run)s AND month = %(month)s) p
CROSS JOIN (
    SELECT coalesce(sum(messages) FILTER (WHERE state = 'withdrawn'), 0) AS withdrawn,
           coalesce(sum(messages) FILTER (WHERE state = 'cancelled'), 0) AS cancelled,
           coalesce(sum(messages) FILTER (WHERE state NOT IN ('withdrawn', 'cancelled')), 0) AS claimed,
           coalesce(sum(messages) FILTER (WHERE state IN ('accepted', 'delivered', 'failed', 'expired')), 0) AS accepted,
           coalesce(sum(messages) FILTER (WHERE state = 'rejected'), 0) AS refused,
           coalesce(sum(messages) FILTER (WHERE state = 'unknown'), 0) AS unknown,
           coalesce(sum(messages) FILTER (WHERE state = 'delivered'), 0) AS delivered,
           coalesce(sum(messages) FILTER (WHERE state = 'failed'), 0) AS failed,
           coalesce(sum(messages) FILTER (WHERE state = 'expired'), 0) AS expired,
           coalesce(sum(messages) FILTER (WHERE state = 'accepted'), 0) AS waiting,
           sum(reach_seconds) AS reach_seconds
    FROM tally
) m
CROSS JOIN (
    SELECT coalesce(sum(line_rows), 0) AS line_rows, coalesce(sum(stray), 0) AS stray, coalesce(sum(twice), 0) AS twice
    FROM chunks WHERE run_id = %(run)s
) c
WHERE r.run_id = %(run)s
ON CONFLICT (tenant_id, run_id) DO UPDATE
SET (rows_read, rejected, duplicates, excluded, recipients, withdrawn, cancelled, claimed, accepted, refused_by_line,
     unknown, delivered, failed, expired, waiting, line_rows, stray, twice, send_rate, reach_rate, mean_reach_seconds,
     updated_at) =
    (excluded.rows_read, excluded.rejected, excluded.duplicates, excluded.excluded, excluded.recipients,
     excluded.withdrawn, excluded.cancelled, excluded.claimed, excluded.accepted, excluded.refused_by_line,
     excluded.unknown, excluded.delivered, excluded.failed, excluded.expired, excluded.waiting, excluded.line_rows,
     excluded.stray, excluded.twice,
     excluded.send_rate, excluded.reach_rate, excluded.mean_reach_seconds, now())

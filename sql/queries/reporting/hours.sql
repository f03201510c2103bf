-- Per hour: accepted in the hour of the hand-over, delivered and failed in the hour of the result.
INSERT INTO report_hours (tenant_id, run_id, hour, accepted, delivered, failed)
SELECT %(tenant)s, %(run)s, hour, sum(accepted), sum(delivered), sum(failed)
FROM (
    SELECT handed_over_hour AS hour, messages AS accepted, 0 AS delivered, 0 AS failed
    FROM tally WHERE state IN ('accepted', 'delivered', 'failed', 'expired')
    UNION ALL
    SELECT finished_hour, 0, CASE state WHEN 'delivered' THEN messages ELSE 0 END,
           CASE state WHEN 'failed' THEN messages ELSE 0 END
    FROM tally WHERE finished_hour IS NOT NULL AND state IN ('delivered', 'failed')
) moved
GROUP BY hour
ON CONFLICT (tenant_id, run_id, hour) DO UPDATE
SET accepted = excluded.accepted, delivered = excluded.delivered, failed = excluded.failed

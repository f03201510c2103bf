-- Record a stage. A repeated stage replaces what it said before; the tasks of a shared one (mapped, or deferred and
-- resumed) add up: first start, last end, counts summed.
INSERT INTO run_stages AS s (tenant_id, run_id, stage, started_at, finished_at, counts)
VALUES (%(tenant)s, %(run)s, %(stage)s, %(started)s, clock_timestamp(), %(counts)s::jsonb)
ON CONFLICT (tenant_id, run_id, stage) DO UPDATE
SET started_at = CASE WHEN %(shared)s THEN least(s.started_at, excluded.started_at) ELSE excluded.started_at END,
    finished_at = greatest(s.finished_at, excluded.finished_at),
    counts = CASE WHEN %(shared)s THEN (
        SELECT coalesce(jsonb_object_agg(key, coalesce((s.counts ->> key)::bigint, 0)
                                              + coalesce((excluded.counts ->> key)::bigint, 0)), '{}')
        FROM (SELECT jsonb_object_keys(s.counts) UNION SELECT jsonb_object_keys(excluded.counts)) AS k (key)
    ) ELSE excluded.counts END

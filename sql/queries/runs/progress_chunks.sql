-- How far a run's chunks are: all, handed over, settled, and the messages accepted.
SELECT
    count(*),
    count(*) FILTER (WHERE state <> 'planned'),
    count(*) FILTER (WHERE state = 'final'),
    coalesce(sum(accepted), 0)
FROM chunks
WHERE run_id = %s

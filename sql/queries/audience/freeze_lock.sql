-- Only one freeze of a run at a time. Says whether it is frozen already, how many rows were read, whether they are still
-- staged, and whether the run was cancelled meanwhile.
SELECT frozen_at IS NOT NULL, rows_read, to_regclass('staging.run_' || run_id) IS NOT NULL,
       state IN ('cancelling', 'cancelled')
FROM runs
WHERE run_id = %(run)s
FOR UPDATE

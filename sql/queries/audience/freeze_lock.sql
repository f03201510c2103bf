-- Only one freeze of a run at a time. Says whether it is frozen already, how many rows were read, and whether they are
-- still staged.
SELECT frozen_at IS NOT NULL, rows_read, to_regclass('staging.run_' || run_id) IS NOT NULL
FROM runs
WHERE run_id = %(run)s
FOR UPDATE

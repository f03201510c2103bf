-- Only one freeze of a run at a time. Says whether it is frozen already, how many rows are staged, how many were read.
WITH locked AS (
    SELECT run_id, frozen_at, rows_read FROM runs WHERE run_id = %(run)s FOR UPDATE
)
SELECT frozen_at IS NOT NULL, (SELECT count(*) FROM staged_targets s WHERE s.run_id = locked.run_id), rows_read
FROM locked

-- The rejected rows of a run in the order of the file; before the freeze they are still staged.
SELECT row_no, field, reason, detail, masked_value
FROM exclusions
WHERE run_id = %(run)s AND outcome = 'rejected'
UNION ALL
SELECT s.row_no, s.reject_field, s.reject_reason, s.reject_detail, s.masked_value
FROM staged_targets s JOIN runs r USING (run_id)
WHERE s.run_id = %(run)s AND s.reject_reason IS NOT NULL AND r.frozen_at IS NULL
ORDER BY row_no

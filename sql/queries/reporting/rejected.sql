-- The rejected rows of a run in the order of the file.
SELECT row_no, field, reason, detail, masked_value
FROM exclusions
WHERE run_id = %(run)s AND month = %(month)s AND outcome = 'rejected'
ORDER BY row_no

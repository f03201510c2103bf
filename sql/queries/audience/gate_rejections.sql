-- How many rows were rejected, by reason.
SELECT reason, count(*)
FROM exclusions
WHERE run_id = %(run)s AND month = %(month)s AND outcome = 'rejected'
GROUP BY reason
ORDER BY count(*) DESC, reason

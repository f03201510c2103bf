-- How many staged rows were rejected, by reason.
SELECT reject_reason, count(*)
FROM staged_targets
WHERE run_id = %(run)s AND reject_reason IS NOT NULL
GROUP BY reject_reason
ORDER BY count(*) DESC, reject_reason

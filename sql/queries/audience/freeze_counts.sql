-- How the targets of a run were divided.
SELECT (SELECT count(*) FROM recipients WHERE run_id = %(run)s),
       count(*) FILTER (WHERE outcome = 'rejected'),
       count(*) FILTER (WHERE outcome = 'duplicate'),
       count(*) FILTER (WHERE outcome = 'excluded')
FROM exclusions
WHERE run_id = %(run)s

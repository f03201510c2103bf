-- The targets of a run that are no recipients, by what became of them.
SELECT count(*) FILTER (WHERE outcome = 'rejected'),
       count(*) FILTER (WHERE outcome = 'duplicate'),
       count(*) FILTER (WHERE outcome = 'excluded')
FROM exclusions
WHERE run_id = %(run)s AND month = %(month)s

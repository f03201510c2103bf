-- The totals of a run, for its books.
SELECT rows_read, rejected, duplicates, excluded, recipients, withdrawn, cancelled, claimed, accepted, refused_by_line,
       unknown, delivered, failed, expired, waiting, line_rows, stray, twice
FROM report_runs
WHERE run_id = %(run)s

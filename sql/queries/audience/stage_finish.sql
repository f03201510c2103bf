-- Note on the run what was read; answers how many rows were rejected.
WITH noted AS (
    UPDATE runs
    SET columns = %(columns)s, rows_read = (SELECT count(*) FROM arriving)
    WHERE run_id = %(run)s
)
SELECT count(*) FROM arriving WHERE reject_reason IS NOT NULL

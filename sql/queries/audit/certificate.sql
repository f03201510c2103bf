-- What the product says of the run: its certificate, and when the run was finished.
SELECT c.closed, c.body, r.finished_at
FROM runs r LEFT JOIN certificates c USING (run_id)
WHERE r.run_id = %(run)s

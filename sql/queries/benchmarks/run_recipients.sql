-- The audience of a run; without what identifies the people, which no report reads.
INSERT INTO recipients (tenant_id, recipient_no, run_id, row_no, month, kind)
SELECT %(tenant)s, n, %(run)s, n, %(month)s, 'S' FROM generate_series(1, %(recipients)s) AS n

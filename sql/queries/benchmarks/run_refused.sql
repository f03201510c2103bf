-- A run that the gate refused: one row in five is rejected, and there is nothing more of it.
WITH refused AS (
    UPDATE runs
    SET state = 'refused', refusal = 'Too many rows are rejected.', columns = '{phone}', rows_read = %(recipients)s
    WHERE run_id = %(run)s
)
INSERT INTO exclusions (tenant_id, row_no, run_id, month, outcome, reason, field, masked_value)
SELECT %(tenant)s, n, %(run)s, %(month)s, 'rejected', (ARRAY['empty', 'landline', 'too_short'])[n %% 3 + 1], 'phone', '**'
FROM generate_series(5, %(recipients)s, 5) AS n

-- One row in ten of the file did not become a recipient: rejected, duplicate or left out.
INSERT INTO exclusions (tenant_id, row_no, run_id, month, outcome, reason, field, masked_value)
SELECT %(tenant)s, %(recipients)s + n, %(run)s, %(month)s,
       (ARRAY['rejected', 'rejected', 'rejected', 'duplicate', 'duplicate', 'duplicate', 'excluded', 'excluded'])[kind],
       (ARRAY['empty', 'landline', 'too_short', 'duplicate', 'duplicate', 'duplicate', 'opted_out', 'no_consent'])[kind],
       CASE WHEN kind <= 3 THEN 'phone' END,
       CASE WHEN kind <= 3 THEN '**' END
FROM (SELECT n, n %% 8 + 1 AS kind FROM generate_series(1, %(recipients)s / 9) AS n) drawn

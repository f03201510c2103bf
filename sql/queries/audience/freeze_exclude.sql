-- The targets that are left out; those that were rejected are there already.
INSERT INTO exclusions (tenant_id, row_no, run_id, month, outcome, reason, field)
SELECT %(tenant)s, row_no, %(run)s, %(month)s, CASE reason WHEN 'duplicate' THEN 'duplicate' ELSE 'excluded' END, reason, 'phone'
FROM verdicts

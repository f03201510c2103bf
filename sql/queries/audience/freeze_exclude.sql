-- Every target that is no recipient, with its one reason.
INSERT INTO exclusions (tenant_id, row_no, run_id, outcome, reason, field, detail, masked_value)
SELECT %(tenant)s, row_no, %(run)s, 'rejected', reject_reason, reject_field, reject_detail, masked_value
FROM staged_targets
WHERE run_id = %(run)s AND reject_reason IS NOT NULL
UNION ALL
SELECT %(tenant)s, row_no, %(run)s, CASE reason WHEN 'duplicate' THEN 'duplicate' ELSE 'excluded' END, reason,
       'phone', NULL, NULL
FROM verdicts
WHERE reason IS NOT NULL

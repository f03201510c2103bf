-- Per result code and what it meant.
INSERT INTO report_codes (tenant_id, run_id, result_code, state, messages)
SELECT %(tenant)s, %(run)s, result_code, state, sum(messages)
FROM tally
WHERE state IN ('delivered', 'failed')
GROUP BY result_code, state
ON CONFLICT (tenant_id, run_id, result_code, state) DO UPDATE SET messages = excluded.messages

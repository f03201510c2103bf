-- Per result code.
INSERT INTO report_codes (tenant_id, run_id, result_code, messages)
SELECT %(tenant)s, %(run)s, result_code, sum(messages)
FROM tally
WHERE result_code IS NOT NULL
GROUP BY result_code
ON CONFLICT (run_id, result_code) DO UPDATE SET messages = excluded.messages

-- A list of people who must not be written to; who is on it already stays.
INSERT INTO suppressions (tenant_id, phone_index, reason, source)
SELECT DISTINCT %(tenant)s, phone_index, %(reason)s, %(source)s FROM refusals
ON CONFLICT (tenant_id, phone_index, reason) DO NOTHING

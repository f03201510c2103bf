-- From the session's table into contacts, under row-level security. The number says who it is; of two rows with one
-- number the later counts, and what is known of a person already is replaced as a whole.
INSERT INTO contacts AS known (tenant_id, phone_index, last4_index, phone_enc, name_enc, external_id, tags, region, source)
SELECT %(tenant)s, phone_index, last4_index, phone_enc, name_enc, external_id, tags, region, %(source)s
FROM (SELECT DISTINCT ON (phone_index) * FROM arriving_contacts ORDER BY phone_index, position DESC) last_row
ORDER BY position
ON CONFLICT (tenant_id, phone_index) DO UPDATE
SET (phone_enc, name_enc, external_id, tags, region, source, updated_at) =
    (excluded.phone_enc, excluded.name_enc, excluded.external_id, excluded.tags, excluded.region, excluded.source, now())

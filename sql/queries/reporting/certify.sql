-- The certificate: the books as they were checked, with both hashes of the run.
INSERT INTO certificates (tenant_id, run_id, closed, body)
SELECT %(tenant)s, r.run_id, %(closed)s,
       %(body)s::jsonb || jsonb_build_object('audience_hash', encode(r.audience_hash, 'hex'),
                                             'content_hash', encode(r.content_hash, 'hex'))
FROM runs r
WHERE r.run_id = %(run)s
ON CONFLICT (run_id) DO UPDATE SET closed = excluded.closed, body = excluded.body, created_at = now()

-- The certificate: the books as they were checked, with both hashes of the run. Written again only where it says something
-- else than the last one: what was certified stays.
INSERT INTO certificates (tenant_id, run_id, closed, body)
SELECT new.tenant_id, new.run_id, new.closed, new.body
FROM (
    SELECT r.tenant_id, r.run_id, %(closed)s AS closed,
           %(body)s::jsonb || jsonb_build_object('audience_hash', encode(r.audience_hash, 'hex'),
                                                 'content_hash', encode(v.content_hash, 'hex')) AS body
    FROM runs r JOIN campaign_versions v USING (tenant_id, campaign_id, version)
    WHERE r.run_id = %(run)s
) new
LEFT JOIN LATERAL (
    SELECT closed, body FROM certificates
    WHERE tenant_id = new.tenant_id AND run_id = new.run_id
    ORDER BY certificate_id DESC LIMIT 1
) last ON true
WHERE (last.closed, last.body) IS DISTINCT FROM (new.closed, new.body)

-- What the product says of the run: its last certificate, and when the run was finished.
SELECT c.closed, c.body, r.finished_at
FROM runs r
LEFT JOIN LATERAL (
    SELECT closed, body FROM certificates WHERE tenant_id = r.tenant_id AND run_id = r.run_id
    ORDER BY certificate_id DESC LIMIT 1
) c ON true
WHERE r.run_id = %(run)s

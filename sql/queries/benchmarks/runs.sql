-- The runs that the tenant sees.
SELECT c.slug, r.state, r.run_id
FROM runs r JOIN campaigns c USING (campaign_id)
ORDER BY r.run_id

-- The last run of a campaign, or the one of a number if it is the campaign's.
SELECT r.run_id
FROM runs r JOIN campaigns c USING (tenant_id, campaign_id)
WHERE c.slug = %(slug)s AND (r.run_id = %(run)s OR %(run)s::bigint IS NULL)
ORDER BY r.run_id DESC
LIMIT 1

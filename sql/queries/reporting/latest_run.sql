-- The last run of a campaign.
SELECT r.run_id
FROM runs r JOIN campaigns c USING (campaign_id)
WHERE c.slug = %s
ORDER BY r.run_id DESC
LIMIT 1

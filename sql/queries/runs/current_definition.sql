-- The definition in force of one campaign.
SELECT v.spec
FROM campaigns c JOIN campaign_versions v USING (campaign_id, version)
WHERE c.campaign_id = %s

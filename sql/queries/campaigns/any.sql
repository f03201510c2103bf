-- A campaign of any tenant, live or archived, if there ever was one.
SELECT campaign_id FROM campaigns LIMIT 1

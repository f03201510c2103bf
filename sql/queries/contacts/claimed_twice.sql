-- The place in the batch of an external id that stands for two numbers: in the batch, or in the batch and in the store.
SELECT max(position)
FROM arriving_contacts
WHERE external_id IS NOT NULL
GROUP BY external_id
HAVING count(DISTINCT phone_index) > 1
UNION ALL
SELECT a.position
FROM arriving_contacts a
JOIN contacts c ON c.tenant_id = %(tenant)s AND c.external_id = a.external_id
WHERE c.phone_index IS DISTINCT FROM a.phone_index
LIMIT 1

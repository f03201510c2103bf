-- Rows that waited for the agent, or were in its hands, may have gone out after the backup: they count as handed over to
-- the carrier, so that no agent takes them again. Those whose result never comes expire. {table} is a queue.
UPDATE {table} SET rsv1 = '3' WHERE rsv1 IN ('1', '2')

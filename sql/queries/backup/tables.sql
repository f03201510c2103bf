-- Every table that a backup holds rows of; of a partitioned one, its partitions.
SELECT n.nspname || '.' || c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'bongsu')
ORDER BY 1

-- Every partitioned table with its partitions.
SELECT n.nspname || '.' || p.relname, array_agg(m.nspname || '.' || c.relname ORDER BY c.relname)
FROM pg_inherits i
JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace
JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace m ON m.oid = c.relnamespace
WHERE p.relkind = 'p'
GROUP BY 1

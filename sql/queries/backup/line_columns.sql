-- A table's columns in their order.
SELECT column_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = %(table)s
ORDER BY ordinal_position

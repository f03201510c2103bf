-- The highest number that the queue has given: rows that moved to a log have one, too, and so has the live table.
SELECT coalesce(max(auto_increment), 1) FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name IN (%(table)s, %(loaded)s)

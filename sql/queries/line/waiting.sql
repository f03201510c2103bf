-- Rows of a run on one queue table that the agent has no result for yet.
SELECT count(*) FROM {table} WHERE app_etc2 LIKE %(run)s AND status_code = 100

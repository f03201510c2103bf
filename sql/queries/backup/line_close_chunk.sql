-- A marker of no messages for a chunk that has none: it may have been handed over after the backup. {table} holds markers.
INSERT IGNORE INTO {table} (run_id, hop, chunk_no, table_name, row_count) VALUES (%s, %s, %s, %s, 0)

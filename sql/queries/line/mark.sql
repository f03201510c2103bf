-- The marker: in the same transaction as the chunk's rows. A second one for the same chunk violates its primary key.
INSERT INTO BONGSU_HANDOVER (run_id, hop, chunk_no, table_name, row_count)
VALUES (%(run)s, %(hop)s, %(chunk)s, %(table)s, %(rows)s)

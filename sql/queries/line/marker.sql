-- Whether a chunk was handed over, and how many rows.
SELECT row_count FROM BONGSU_HANDOVER WHERE run_id = %(run)s AND hop = %(hop)s AND chunk_no = %(chunk)s

-- Take back a marker of no messages.
DELETE FROM BONGSU_HANDOVER WHERE run_id = %s AND hop = %s AND chunk_no = %s AND row_count = 0

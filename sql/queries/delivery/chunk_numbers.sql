-- The chunk numbers of a run on one hop.
SELECT chunk_no FROM chunks WHERE run_id = %(run)s AND hop = %(hop)s ORDER BY chunk_no

-- When the last chunk of a run was handed over.
SELECT max(handed_over_at) FROM chunks WHERE run_id = %(run)s AND hop = %(hop)s

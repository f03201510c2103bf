-- A repeated import replaces what the last one staged.
DELETE FROM staged_targets WHERE run_id = %(run)s

-- How many people the frozen audience of a run has.
SELECT count(*) FROM recipients WHERE run_id = %(run)s AND month = %(month)s

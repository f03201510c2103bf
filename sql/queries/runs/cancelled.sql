-- All of a cancelled run is settled.
UPDATE runs SET state = 'cancelled', finished_at = now() WHERE run_id = %(run)s AND state = 'cancelling'

-- The highest run of which the line has taken something.
SELECT max(run_id) FROM BONGSU_HANDOVER

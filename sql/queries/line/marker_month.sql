-- The month in which a chunk was handed over, by the line's own clock, as the logs are named.
SELECT cast(extract(YEAR_MONTH FROM handed_over_at) AS char)
FROM BONGSU_HANDOVER
WHERE run_id = %(run)s AND hop = %(hop)s AND chunk_no = %(chunk)s

-- One scan of the run's messages; everything the report says of them is counted from here.
CREATE TEMPORARY TABLE tally ON COMMIT DROP AS
SELECT chunk_no, line_no, hop, state, result_code,
       date_trunc('hour', accepted_at) AS accepted_hour,
       date_trunc('hour', finished_at) AS finished_hour,
       count(*)::integer AS messages,
       -- the line writes whole seconds by its own clock
       sum(greatest(extract(epoch FROM finished_at - accepted_at), 0)) FILTER (WHERE state = 'delivered') AS reach_seconds
FROM message_states
WHERE run_id = %(run)s AND run_at = %(run_at)s
GROUP BY 1, 2, 3, 4, 5, 6, 7

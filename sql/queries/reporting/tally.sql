-- One scan of the run's messages; everything the report says of them is counted from here. What the messages of a chunk have
-- in common comes from the chunk afterwards.
CREATE TEMPORARY TABLE tally ON COMMIT DROP AS
SELECT m.chunk_no, c.line_no, m.hop, bongsu.message_state(m.outcome, c.state) AS state, m.result_code,
       date_bin('1 hour', c.handed_over_at, 'epoch') AS handed_over_hour,
       m.finished_hour, m.messages,
       -- the line writes whole seconds by its own clock
       CASE WHEN m.outcome = 'delivered'
            THEN greatest(m.seconds - m.messages * date_part('epoch', c.handed_over_at - %(run_at)s), 0) END
           AS reach_seconds
FROM (
    SELECT chunk_no, hop, outcome, result_code, date_bin('1 hour', finished_at, 'epoch') AS finished_hour,
           count(*)::integer AS messages, sum(date_part('epoch', finished_at - %(run_at)s)) AS seconds
    FROM messages
    WHERE run_id = %(run)s AND month = %(month)s
    GROUP BY 1, 2, 3, 4, 5
) m
JOIN chunks c ON c.run_id = %(run)s AND c.hop = m.hop AND c.chunk_no = m.chunk_no

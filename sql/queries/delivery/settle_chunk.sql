-- What the line holds for the chunk, and whether every message of it has its result. Answers how many have none.
WITH still AS (
    SELECT count(*)::integer AS open
    FROM messages
    WHERE run_id = %(run)s AND month = %(month)s AND hop = %(hop)s AND outcome IS NULL
      AND recipient_no BETWEEN %(first)s AND %(last)s
),
seen AS (
    SELECT count(*) AS line_rows, count(DISTINCT recipient_no) AS messages FROM receipts
),
noted AS (
    UPDATE chunks c
    SET line_rows = seen.line_rows,
        twice = seen.line_rows - seen.messages,
        state = CASE still.open WHEN 0 THEN 'final' ELSE 'accepted' END,
        final_at = CASE still.open WHEN 0 THEN now() END
    FROM seen, still
    WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.chunk_no = %(chunk)s AND c.state = 'accepted'
)
SELECT open FROM still

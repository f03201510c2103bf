-- What the line holds for the chunk, odd rows apart, and whether every message of it has its result. Answers how many
-- messages have none, and how many rows wait for one.
WITH still AS (
    SELECT count(*)::integer AS open
    FROM messages
    WHERE run_id = %(run)s AND month = %(month)s AND hop = %(hop)s AND outcome IS NULL
      AND recipient_no BETWEEN %(first)s AND %(last)s
),
seen AS (
    SELECT count(*) AS line_rows, count(*) FILTER (WHERE recipient_no IS NULL OR code IS NULL) AS stray,
           count(DISTINCT recipient_no) FILTER (WHERE code IS NOT NULL) AS messages,
           count(*) FILTER (WHERE code = 100) AS waiting
    FROM receipts
),
noted AS (
    UPDATE chunks c
    SET line_rows = seen.line_rows,
        stray = seen.stray,
        twice = seen.line_rows - seen.stray - seen.messages,
        state = CASE still.open WHEN 0 THEN 'final' ELSE 'accepted' END,
        final_at = CASE still.open WHEN 0 THEN now() END
    FROM seen, still
    WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.chunk_no = %(chunk)s AND c.state = 'accepted'
)
SELECT open, waiting FROM still, seen

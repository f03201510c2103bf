-- What the line holds for the chunk, and whether every message of it has its result.
UPDATE chunks c
SET line_rows = seen.line_rows,
    twice = seen.line_rows - seen.messages,
    state = CASE WHEN still.open THEN 'accepted' ELSE 'final' END,
    final_at = CASE WHEN still.open THEN NULL ELSE now() END
FROM (SELECT count(*) AS line_rows, count(DISTINCT recipient_no) AS messages FROM receipts) seen,
     LATERAL (
         SELECT EXISTS (
             SELECT FROM messages m
             JOIN chunks own ON own.run_id = m.run_id AND own.hop = m.hop AND own.chunk_no = %(chunk)s
             WHERE m.run_id = %(run)s AND m.run_at = %(run_at)s AND m.hop = %(hop)s AND m.state = 'accepted'
               AND m.recipient_no BETWEEN own.first_no AND own.last_no
         ) AS open
     ) still
WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.chunk_no = %(chunk)s AND c.state = 'accepted'

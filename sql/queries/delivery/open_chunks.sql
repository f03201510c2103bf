-- Chunks that the line has taken and whose results are not all in.
SELECT c.chunk_no, c.line_no, l.table_name, c.handed_over_at
FROM chunks c JOIN lines l USING (line_no)
WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.state = 'accepted'
ORDER BY c.chunk_no

-- One chunk with its line's table.
SELECT c.run_id, c.hop, c.chunk_no, c.first_no, c.last_no, c.line_no, l.table_name, c.state, c.accepted, c.withdrawn,
       c.cancelled
FROM chunks c JOIN lines l USING (line_no)
WHERE c.run_id = %(run)s AND c.hop = %(hop)s AND c.chunk_no = %(chunk)s

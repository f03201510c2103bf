-- Chunks whose hand-over the store does not know of.
SELECT c.run_id, c.hop, c.chunk_no, l.table_name
FROM chunks c JOIN lines l USING (line_no)
WHERE c.state = 'planned'
ORDER BY c.run_id, c.hop, c.chunk_no

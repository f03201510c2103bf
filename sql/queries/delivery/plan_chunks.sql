-- Cut recipients 1..n into chunks of consecutive numbers, dealt round robin to the lines. Written once. An audience of
-- nobody is one empty chunk, so that such a run passes through the same stages and closes its books.
INSERT INTO chunks (tenant_id, run_id, hop, chunk_no, first_no, last_no, line_no)
SELECT %(tenant)s, %(run)s, %(hop)s, n, (n - 1) * %(size)s + 1, least(n * %(size)s, %(recipients)s),
       (%(lines)s::smallint[])[(n - 1) %% cardinality(%(lines)s::smallint[]) + 1]
FROM generate_series(1, greatest(ceil(%(recipients)s::numeric / %(size)s)::integer, 1)) AS n
ON CONFLICT (tenant_id, run_id, hop, chunk_no) DO NOTHING

-- The chunks of a run whose receipts are all there, handed over within four hours.
INSERT INTO chunks (tenant_id, run_id, hop, chunk_no, first_no, last_no, line_no, state, accepted, line_rows,
                    handed_over_at, final_at)
SELECT %(tenant)s, %(run)s, 0, n, (n - 1) * %(size)s + 1, n * %(size)s,
       (%(lines)s::smallint[])[n %% cardinality(%(lines)s::smallint[]) + 1], 'final', %(size)s, %(size)s,
       %(run_at)s + n * (interval '4 hours' / %(chunks)s), %(run_at)s + interval '1 day'
FROM generate_series(1, %(chunks)s) AS n

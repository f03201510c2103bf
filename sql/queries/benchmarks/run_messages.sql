-- The messages of a run after its receipts: 94 %% delivered, 5 %% failed with one of five codes, 1 %% expired; most results
-- come within the minute, one in eight in the hours after.
INSERT INTO messages (tenant_id, recipient_no, run_id, chunk_no, hop, month, kind, result_code, outcome, finished_at)
SELECT tenant_id, n, run_id, chunk_no, hop, %(month)s, 'S',
       CASE WHEN share < 94 THEN 6 WHEN share < 99 THEN (ARRAY[3, 5, 7, 10, 59])[n %% 5 + 1] END,
       CASE WHEN share < 94 THEN 'delivered' WHEN share < 99 THEN 'failed' ELSE 'expired' END,
       handed_over_at + CASE WHEN n %% 8 = 0 THEN share * interval '10 min' ELSE (n %% 60) * interval '1 s' END
FROM (
    SELECT c.*, n, (hashint4(n) & 2147483647) %% 100 AS share
    FROM chunks c, generate_series(c.first_no, c.last_no) AS n
    WHERE c.run_id = %(run)s
) drawn

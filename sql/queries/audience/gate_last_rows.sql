-- Rows of the last run of the same campaign that was finished; a test send has people of its own and does not count.
SELECT l.rows_read
FROM runs l JOIN runs r ON r.campaign_id = l.campaign_id
WHERE r.run_id = %(run)s AND l.run_id < r.run_id AND l.state = 'finished' AND NOT l.test_send
  AND l.rows_read IS NOT NULL
ORDER BY l.run_id DESC
LIMIT 1

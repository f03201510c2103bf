-- A run that was read, frozen and sent; its books are still to be closed.
UPDATE runs
SET state = 'sending', frozen_at = run_at, audience_hash = content_hash, columns = '{phone}',
    rows_read = (SELECT count(*) FROM recipients WHERE run_id = %(run)s)
              + (SELECT count(*) FROM exclusions WHERE run_id = %(run)s)
WHERE run_id = %(run)s

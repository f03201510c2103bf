-- The run was read and frozen; its messages follow.
UPDATE runs
SET state = 'sending', frozen_at = run_at, audience_hash = '\x00', columns = '{phone}',
    rows_read = (SELECT count(*) FROM recipients WHERE run_id = %(run)s)
              + (SELECT count(*) FROM exclusions WHERE run_id = %(run)s)
WHERE run_id = %(run)s

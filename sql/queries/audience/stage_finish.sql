-- Note on the run what was read; answers how many rows were rejected, which they are whatever is decided about the others.
WITH rejected AS (
    INSERT INTO exclusions (tenant_id, row_no, run_id, month, outcome, reason, field, detail, masked_value)
    SELECT tenant_id, row_no, %(run)s, %(month)s, 'rejected', reject_reason, reject_field, nullif(reject_detail, ''), masked_value
    FROM {staged}
    WHERE kind IS NULL
    RETURNING row_no
),
noted AS (
    UPDATE runs SET columns = %(columns)s, rows_read = %(rows)s WHERE run_id = %(run)s
)
SELECT count(*) FROM rejected

-- Seal the run with the hash of its audience: SHA-256 over the blocks' hashes, a block being 10,000 recipients' numbers
-- and blind indexes in order, so that memory stays flat. Each block is read in the order of the key.
UPDATE runs
SET frozen_at = now(),
    audience_hash = (
        SELECT sha256(coalesce(string_agg(block_hash, '' ORDER BY block), ''))
        FROM generate_series(0, %(recipients)s / 10000) AS block
        CROSS JOIN LATERAL (
            SELECT sha256(string_agg(int4send(recipient_no) || phone_index, '' ORDER BY recipient_no)) AS block_hash
            FROM recipients
            WHERE run_id = %(run)s AND month = %(month)s AND recipient_no BETWEEN block * 10000 AND block * 10000 + 9999
        ) blocks
        WHERE block_hash IS NOT NULL
    )
WHERE run_id = %(run)s

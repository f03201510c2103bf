-- Seal the run with the hash of its audience: SHA-256 over the blocks' hashes, a block being 10,000 recipients' numbers
-- and blind indexes in order, so that memory stays flat.
UPDATE runs
SET frozen_at = now(),
    audience_hash = (
        SELECT sha256(coalesce(string_agg(block_hash, '' ORDER BY block), ''))
        FROM (
            SELECT recipient_no / 10000 AS block,
                   sha256(string_agg(int4send(recipient_no) || phone_index, '' ORDER BY recipient_no)) AS block_hash
            FROM recipients
            WHERE run_id = %(run)s
            GROUP BY recipient_no / 10000
        ) blocks
    )
WHERE run_id = %(run)s

-- Every staged row that is neither rejected nor a recipient, with its one reason. A refusal on any row of a number counts
-- for the number: it beats everything else. Most numbers stand once, so only those that repeat are looked at as a group.
CREATE TEMPORARY TABLE verdicts ON COMMIT DROP AS
WITH repeated AS MATERIALIZED (
    SELECT phone_index, CASE WHEN %(newest)s THEN max(row_no) ELSE min(row_no) END AS kept,
           bool_and(consent IS TRUE) AS agreed
    FROM {staged}
    WHERE kind IS NOT NULL
    GROUP BY phone_index
    HAVING count(*) > 1
),
judged AS (
    SELECT s.row_no,
           CASE
               WHEN s.row_no <> r.kept THEN 'duplicate'
               WHEN EXISTS (SELECT FROM suppressions p
                            WHERE p.tenant_id = %(tenant)s AND p.phone_index = s.phone_index
                              AND p.reason = 'suppressed') THEN 'suppressed'
               WHEN NOT %(advertising)s THEN NULL
               WHEN EXISTS (SELECT FROM suppressions p
                            WHERE p.tenant_id = %(tenant)s AND p.phone_index = s.phone_index
                              AND p.reason = 'opted_out')
                 OR EXISTS (SELECT FROM consents c
                            WHERE c.tenant_id = %(tenant)s AND c.phone_index = s.phone_index
                              AND c.channel = %(channel)s AND c.purpose = 'advertising' AND NOT c.granted)
                   THEN 'opted_out'
               WHEN %(mapped)s AND NOT coalesce(r.agreed, s.consent IS TRUE) THEN 'no_consent'
               WHEN %(recorded)s AND NOT EXISTS (
                            SELECT FROM consents c
                            WHERE c.tenant_id = %(tenant)s AND c.phone_index = s.phone_index
                              AND c.channel = %(channel)s AND c.purpose = 'advertising' AND c.granted
                              AND (c.expires_at IS NULL OR c.expires_at > now())) THEN 'no_consent'
           END AS reason
    FROM {staged} s LEFT JOIN repeated r USING (phone_index)
    WHERE s.kind IS NOT NULL
)
SELECT row_no, reason FROM judged WHERE reason IS NOT NULL

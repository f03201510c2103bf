-- One verdict for every staged row that was not rejected: a reason, or none and the recipient's number.
-- A refusal on any row of a number counts for the number: it beats everything else.
CREATE TEMPORARY TABLE verdicts ON COMMIT DROP AS
WITH usable AS (
    SELECT row_no, phone_index,
           row_number() OVER (PARTITION BY phone_index
                              ORDER BY CASE WHEN %(newest)s THEN -row_no ELSE row_no END) AS copy_no,
           bool_and(consent IS TRUE) OVER (PARTITION BY phone_index) AS agreed
    FROM staged_targets
    WHERE run_id = %(run)s AND reject_reason IS NULL
),
judged AS (
    SELECT u.row_no,
           CASE
               WHEN u.copy_no > 1 THEN 'duplicate'
               WHEN EXISTS (SELECT FROM suppressions s
                            WHERE s.tenant_id = %(tenant)s AND s.phone_index = u.phone_index
                              AND s.reason = 'suppressed') THEN 'suppressed'
               WHEN NOT %(advertising)s THEN NULL
               WHEN EXISTS (SELECT FROM suppressions s
                            WHERE s.tenant_id = %(tenant)s AND s.phone_index = u.phone_index
                              AND s.reason = 'opted_out')
                 OR EXISTS (SELECT FROM consents c
                            WHERE c.tenant_id = %(tenant)s AND c.phone_index = u.phone_index
                              AND c.channel = %(channel)s AND c.purpose = 'advertising' AND NOT c.granted)
                   THEN 'opted_out'
               WHEN %(mapped)s AND NOT u.agreed THEN 'no_consent'
               WHEN %(recorded)s AND NOT EXISTS (
                            SELECT FROM consents c
                            WHERE c.tenant_id = %(tenant)s AND c.phone_index = u.phone_index
                              AND c.channel = %(channel)s AND c.purpose = 'advertising' AND c.granted
                              AND (c.expires_at IS NULL OR c.expires_at > now())) THEN 'no_consent'
           END AS reason
    FROM usable u
)
SELECT row_no, reason,
       CASE WHEN reason IS NULL THEN row_number() OVER (PARTITION BY reason IS NULL ORDER BY row_no) END::integer
           AS recipient_no
FROM judged

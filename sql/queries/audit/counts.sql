-- Both sets against each other. The line's clock writes whole seconds: a message is after a refusal when the refusal
-- was recorded before the message's second began. An absence is excused by a refusal that was recorded by the end of
-- the second in which the others of the same chunk were handed over; outside of every chunk that the line shows, until
-- the run was finished. The end of a recorded consent counts like a refusal; a consent that is no more there excuses an
-- absence, and proves nothing against a message. A person who was erased is excused, and so is everybody whom a cancelled
-- run did not reach.
WITH refusals AS (
    SELECT phone_index AS number, min(recorded_at) AS refused_at
    FROM (
        SELECT phone_index, recorded_at FROM suppressions
        WHERE tenant_id = %(tenant)s AND (reason = 'suppressed' OR %(advertising)s)
        UNION ALL
        SELECT phone_index, recorded_at FROM consents
        WHERE tenant_id = %(tenant)s AND channel = %(channel)s AND purpose = 'advertising' AND NOT granted
          AND %(advertising)s
    ) recorded
    GROUP BY phone_index
),
people AS (
    SELECT p.recipient_no, p.number, p.message, f.refused_at,
           CASE WHEN NOT %(recorded)s THEN 'infinity'
                WHEN c.phone_index IS NULL THEN '-infinity'
                ELSE coalesce(c.expires_at, 'infinity') END::timestamptz AS consent_until
    FROM audit_people p
    LEFT JOIN refusals f USING (number)
    LEFT JOIN consents c ON %(recorded)s AND c.tenant_id = %(tenant)s AND c.phone_index = p.number
         AND c.channel = %(channel)s AND c.purpose = 'advertising' AND c.granted
),
judged AS (
    SELECT r.recipient_no, r.line_no <> ALL (%(lines)s::integer[]) AS on_wrong_line,
           p.recipient_no IS NULL AS stray,
           p.number IS NOT NULL AND r.number <> p.number AS to_wrong_number,
           p.message IS NOT NULL AND r.message <> p.message AS with_wrong_text,
           coalesce(p.refused_at < to_timestamp(r.handed_over), false)
           OR coalesce(p.consent_until > '-infinity' AND p.consent_until < to_timestamp(r.handed_over), false)
               AS after_refusal
    FROM audit_rows r LEFT JOIN people p USING (recipient_no)
),
rows_seen AS (
    SELECT count(*) AS line_rows,
           count(*) FILTER (WHERE stray) AS stray,
           count(DISTINCT recipient_no) FILTER (WHERE NOT stray) AS found,
           count(*) FILTER (WHERE NOT stray) AS owned,
           count(*) FILTER (WHERE to_wrong_number) AS wrong_number,
           count(*) FILTER (WHERE with_wrong_text) AS wrong_text,
           count(*) FILTER (WHERE after_refusal) AS after_opt_out,
           count(*) FILTER (WHERE on_wrong_line) AS wrong_line
    FROM judged
),
spans AS (
    SELECT int4range(min(recipient_no), max(recipient_no), '[]') AS span,
           to_timestamp(max(handed_over) + 1) AS moment
    FROM audit_rows
    WHERE recipient_no IS NOT NULL AND chunk_no IS NOT NULL
    GROUP BY chunk_no
),
absent AS (
    SELECT p.number IS NULL
           OR least(p.refused_at, p.consent_until)
              < coalesce((SELECT max(s.moment) FROM spans s WHERE s.span @> p.recipient_no),
                         %(finished)s::timestamptz, 'infinity') AS excused
    FROM people p
    WHERE NOT EXISTS (SELECT FROM audit_rows r WHERE r.recipient_no = p.recipient_no)
),
results AS (
    SELECT DISTINCT ON (recipient_no)
           CASE WHEN code = 100 OR code IS NULL THEN 'waiting'
                WHEN code = CASE kind WHEN 'S' THEN 6 WHEN 'K' THEN 1800 ELSE 1000 END THEN 'delivered'
                ELSE 'failed' END AS result
    FROM audit_rows
    WHERE recipient_no IN (SELECT recipient_no FROM audit_people)
    ORDER BY recipient_no, code IS NULL, code = 100, answered
)
SELECT (SELECT count(*) FROM people) AS recipients,
       (SELECT count(*) FROM absent WHERE excused) AS withdrawn,
       (SELECT count(*) FROM absent WHERE NOT excused AND %(cancelled)s) AS cancelled,
       (SELECT count(*) FROM absent WHERE NOT excused AND NOT %(cancelled)s) AS missing,
       found, line_rows, owned - found AS twice, stray, wrong_number, wrong_text, after_opt_out, wrong_line,
       (SELECT count(*) FROM results WHERE result = 'delivered') AS delivered,
       (SELECT count(*) FROM results WHERE result = 'failed') AS failed,
       (SELECT count(*) FROM results WHERE result = 'waiting') AS waiting
FROM rows_seen

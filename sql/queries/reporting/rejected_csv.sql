-- The rejected rows of a run as CSV, with words for their reasons: around the query called rejected. What comes from the
-- file, a column's name and a masked value, gets an apostrophe where a spreadsheet would take it for a formula.
COPY (
    SELECT r.row_no AS row, regexp_replace(r.field, %(formula)s, '''\&') AS field, w.label AS reason,
           w.explanation || coalesce(' (' || nullif(r.detail, '') || ')', '') AS problem,
           w.fix, regexp_replace(r.masked_value, %(formula)s, '''\&') AS "masked value"
    FROM (
        {rejected}
    ) r
    LEFT JOIN unnest(%(names)s::text[], %(labels)s::text[], %(explanations)s::text[], %(fixes)s::text[])
        AS w (name, label, explanation, fix) ON w.name = r.reason
    ORDER BY r.row_no
) TO STDOUT (FORMAT csv, HEADER)

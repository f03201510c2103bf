-- The rejected rows of a run as CSV, with words for their reasons: around the query called rejected.
COPY (
    SELECT r.row_no AS row, r.field, w.label AS reason,
           w.explanation || coalesce(' (' || nullif(r.detail, '') || ')', '') AS problem,
           w.fix, r.masked_value AS "masked value"
    FROM (
        {rejected}
    ) r
    LEFT JOIN unnest(%(names)s::text[], %(labels)s::text[], %(explanations)s::text[], %(fixes)s::text[])
        AS w (name, label, explanation, fix) ON w.name = r.reason
    ORDER BY r.row_no
) TO STDOUT (FORMAT csv, HEADER)

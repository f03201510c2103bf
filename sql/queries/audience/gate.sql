-- The staged rows of a run as the gate looks at them: a value is null where something is wrong. Great Expectations wraps
-- this in its counts; {run} is a number, {watched} further columns made by gate.py.
SELECT CASE WHEN reject_reason IS NULL THEN true END AS usable_row,
       CASE WHEN reject_reason IS NULL THEN phone_index END AS number{watched}
FROM staged_targets
WHERE run_id = {run}

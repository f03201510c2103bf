-- The staged rows of a run as the gate looks at them: a value is null where something is wrong. Great Expectations wraps
-- this in its counts; {watched} are further columns made by gate.py, for the thresholds that the spec has.
SELECT CASE WHEN kind IS NOT NULL THEN true END AS usable_row{watched}
FROM {staged}

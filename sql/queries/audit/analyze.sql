-- The planner has not seen the two sets yet.
ANALYZE audit_people, audit_rows

-- Whether the store has more in it than a new one.
SELECT (SELECT count(*) FROM tenants) > 1 OR EXISTS (SELECT FROM contacts) OR EXISTS (SELECT FROM consents)
    OR EXISTS (SELECT FROM suppressions) OR EXISTS (SELECT FROM campaigns) OR EXISTS (SELECT FROM runs)

-- Who else is connected to the store; the server's own workers have no user. What kind of session it is, the owner may not
-- see of other roles.
SELECT count(*)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL

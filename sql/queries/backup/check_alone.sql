-- Nobody has come to the store while it was loaded: whoever did would go on with what is replaced.
DO $check$
DECLARE
    others bigint;
BEGIN
    SELECT count(*) INTO others
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL;
    IF others > 0 THEN
        RAISE EXCEPTION '%% others have connected to the campaign store meanwhile', others;
    END IF;
END $check$

-- Every table has the rows that were counted when the backup was made, or the restore ends here.
DO $check$
DECLARE
    table_name text;
    backed_up bigint;
    restored bigint;
BEGIN
    FOR table_name, backed_up IN SELECT key, value::bigint FROM jsonb_each_text(%(rows)s::jsonb) LOOP
        EXECUTE format('SELECT count(*) FROM %%s', table_name::regclass) INTO restored;
        IF restored <> backed_up THEN
            RAISE EXCEPTION '%% got %% of its %% rows', table_name, restored, backed_up;
        END IF;
    END LOOP;
END $check$

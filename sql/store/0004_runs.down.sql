-- Takes back 0004_runs.up.sql.
DROP SCHEMA staging CASCADE;
DROP TABLE chunks, recipients, exclusions, run_stages, runs;
DROP PROCEDURE bongsu.protect_rows_of_runs;
DROP FUNCTION bongsu.open_staging, bongsu.forget_targets, bongsu.protect_staging, bongsu.drop_staging, bongsu.keep_frozen;

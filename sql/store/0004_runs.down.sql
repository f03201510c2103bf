-- Takes back 0004_runs.up.sql.
DROP SCHEMA staging CASCADE;
DROP TABLE chunks, recipients, exclusions, run_stages, runs;
DROP FUNCTION bongsu.open_staging, bongsu.protect_staging, bongsu.drop_staging;

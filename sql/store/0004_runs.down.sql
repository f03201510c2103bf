-- Takes back 0004_runs.up.sql.
DROP TABLE chunks, recipients, exclusions, staged_targets, run_stages, runs;

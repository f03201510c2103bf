-- The highest number that the store, if there is one, has given to a run.
SELECT last_value FROM pg_sequences WHERE schemaname = 'public' AND sequencename = 'runs_run_id_seq'

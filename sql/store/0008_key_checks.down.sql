-- Takes back 0008_key_checks.up.sql.
DROP TABLE key_checks;

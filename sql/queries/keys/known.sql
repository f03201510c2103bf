-- What the store knows of its keys.
SELECT key_no, check_value, required FROM key_checks ORDER BY key_no

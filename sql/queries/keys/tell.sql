-- Tell the store of a key.
INSERT INTO key_checks (key_no, check_value, required) VALUES (%(number)s, %(check)s, %(required)s)

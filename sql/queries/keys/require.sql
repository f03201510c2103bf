-- The ring has the key: from now on a ring without it is an old copy.
UPDATE key_checks SET required = true WHERE key_no = %(number)s

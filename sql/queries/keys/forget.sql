-- Of a store in which nothing was sealed yet: it takes another ring.
DELETE FROM key_checks

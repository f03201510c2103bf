-- What the store knows of the key ring's keys, so that a lost ring or another one's is noticed before it is used. A check
-- value tells whether two keys are the same and nothing else about them.
CREATE TABLE key_checks (
    key_no       smallint PRIMARY KEY CHECK (key_no BETWEEN 0 AND 255),
    check_value  bytea NOT NULL CHECK (octet_length(check_value) = 16),
    required     boolean NOT NULL,
    told_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE key_checks IS 'A ring without one of these keys, with another or with a further one is refused.';
COMMENT ON COLUMN key_checks.key_no IS '0: the index key; others: the number that begins each ciphertext.';
COMMENT ON COLUMN key_checks.required IS 'False while a rotation is putting the key into the ring: it may be missing then.';
-- only the owner, who prepares the store and rotates the keys, writes it
GRANT SELECT ON key_checks TO bongsu_app, bongsu_platform;

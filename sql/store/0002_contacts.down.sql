-- Takes back 0002_contacts.up.sql.
DROP TABLE suppressions, consents, contacts;

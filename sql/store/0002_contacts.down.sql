-- Takes back 0002_contacts.up.sql.
DROP TABLE suppressions, consents, contact_tags, contacts;
DROP FUNCTION bongsu.keep_contact_tags;

-- Takes back 0005_messages.up.sql.
DROP FUNCTION bongsu.ensure_month;
DROP TABLE message_events, messages;

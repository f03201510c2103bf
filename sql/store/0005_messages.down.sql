-- Takes back 0005_messages.up.sql.
DROP FUNCTION bongsu.ensure_month;
DROP VIEW message_states;
DROP FUNCTION bongsu.message_state;
DROP TABLE message_events, messages;

-- Who was to get what.
COPY audit_people (recipient_no, number, message) FROM STDIN WITH (FORMAT binary)

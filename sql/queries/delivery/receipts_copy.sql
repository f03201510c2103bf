-- Rows as they are read from the line.
COPY receipts (recipient_no, code, moment) FROM STDIN WITH (FORMAT binary)

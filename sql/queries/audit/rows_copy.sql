-- What the line's tables hold.
COPY audit_rows (recipient_no, chunk_no, line_no, number, message, kind, code, handed_over, answered)
FROM STDIN WITH (FORMAT binary)

-- What the line's tables hold for one chunk; a table of the session, gone when the transaction ends.
CREATE TEMPORARY TABLE receipts (recipient_no integer NOT NULL, code integer NOT NULL, moment double precision NOT NULL)
ON COMMIT DROP

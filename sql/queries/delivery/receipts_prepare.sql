-- What the line's tables hold for one chunk; a table of the session, gone when the transaction ends. A row without a
-- recipient or without a code is odd: whatever the carrier wrote there, it is no message's result. One without a time
-- came when it is collected.
CREATE TEMPORARY TABLE receipts (recipient_no integer, code integer, moment double precision)
ON COMMIT DROP

-- A chunk's rows from a file in memory. The separators are control characters that no message has, so nothing is escaped;
-- an empty subject is none. sendreq_time is the server's own clock: the agent compares it with NOW().
LOAD DATA LOCAL INFILE %(file)s INTO TABLE {table} CHARACTER SET utf8mb4
FIELDS TERMINATED BY X'1F' ESCAPED BY '' LINES TERMINATED BY X'1E'
(dest_no, call_back, @subject, msg_contents, msg_type, app_etc1)
SET subject = nullif(@subject, ''), sendreq_time = NOW(), app_etc2 = %(chunk)s

-- A chunk's rows from a file in memory. sendreq_time is the server's own clock: the agent compares it with NOW().
LOAD DATA LOCAL INFILE %(file)s INTO TABLE {table} CHARACTER SET utf8mb4
FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n'
(dest_no, call_back, subject, msg_contents, msg_type, app_etc1)
SET sendreq_time = NOW(), app_etc2 = %(chunk)s

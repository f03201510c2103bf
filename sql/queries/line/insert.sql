-- A chunk's rows where the server forbids LOAD DATA LOCAL, or is not known well enough to give it a file.
INSERT INTO {table} (dest_no, call_back, subject, msg_contents, msg_type, app_etc1, app_etc2, sendreq_time)
VALUES (%s, %s, nullif(%s, ''), %s, %s, %s, %s, NOW())

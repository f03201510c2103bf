-- A chunk's rows in one table: recipient, result code (100 = none yet), and when the result came, as Unix time.
SELECT substring_index(app_etc1, '.', -1), status_code, unix_timestamp(coalesce(repmsg_recvtm, mobsend_time, sendreq_time))
FROM {table}
WHERE app_etc2 = %(chunk)s

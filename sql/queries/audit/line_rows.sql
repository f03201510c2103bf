-- What one table holds for a run, by the key that is indexed.
SELECT app_etc1, app_etc2, dest_no, call_back, msg_type, subject, msg_contents, status_code,
       unix_timestamp(sendreq_time), unix_timestamp(coalesce(repmsg_recvtm, mobsend_time, sendreq_time))
FROM {table}
WHERE app_etc2 LIKE %(run)s

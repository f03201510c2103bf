-- What one table holds for a run under either key; app_etc1 has no index, so every row is read.
SELECT app_etc1, app_etc2, dest_no, call_back, msg_type, subject, msg_contents, status_code,
       unix_timestamp(sendreq_time), unix_timestamp(coalesce(repmsg_recvtm, mobsend_time, sendreq_time))
FROM {table}
WHERE app_etc2 LIKE %(run)s OR app_etc1 LIKE %(run)s

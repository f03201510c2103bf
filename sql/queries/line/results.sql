-- A chunk's rows in one table: recipient, result code (100 = none yet), and when the result came, as Unix time. NULL stands
-- for what cannot be: a key that is none of the chunk's messages, a code that is no number, a time outside of 1970 to 2038.
SELECT IF(app_etc1 = concat(%(run_and_hop)s, number) AND number BETWEEN %(first)s AND %(last)s, number, NULL),
       IF(concat(status_code) = concat(code) AND code BETWEEN -2147483648 AND 2147483647, code, NULL),
       IF(moment BETWEEN 1 AND 2147483647, moment, NULL)
FROM (SELECT app_etc1, cast(substring_index(app_etc1, '.', -1) AS unsigned) AS number,
             status_code, cast(status_code AS signed) AS code,
             unix_timestamp(coalesce(repmsg_recvtm, mobsend_time, sendreq_time)) AS moment
      FROM {table}
      WHERE app_etc2 = %(chunk)s) found

-- On the 25th of each month, at three in the morning, the log tables of two months later.
CREATE EVENT IF NOT EXISTS BONGSU_LOG_TABLES_MONTHLY
ON SCHEDULE EVERY 1 MONTH STARTS '2026-01-25 03:00:00'
ON COMPLETION PRESERVE ENABLE
COMMENT 'Log tables of the SMS lines, two months ahead'
DO CALL BONGSU_LOG_TABLES(2)

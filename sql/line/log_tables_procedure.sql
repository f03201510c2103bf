-- Creates the log tables of the month that is months_ahead months from now, one for every queue table there is.
-- {log_table} is the text of log_table.sql as a string literal, so the definition exists once.
CREATE PROCEDURE BONGSU_LOG_TABLES(IN months_ahead INT)
MODIFIES SQL DATA
COMMENT 'Log tables of the SMS lines, created ahead of time'
BEGIN
    DECLARE queue VARCHAR(64) CHARACTER SET utf8mb4;
    DECLARE finished BOOLEAN DEFAULT FALSE;
    DECLARE queues CURSOR FOR
        SELECT table_name FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name REGEXP '^SMSQ_SEND_[0-9]+$'
        ORDER BY table_name;
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET finished = TRUE;
    -- From the first day of the month: January 31st plus one month must not end in March.
    SET @bongsu_month = DATE_FORMAT(DATE_ADD(DATE_FORMAT(NOW(), '%Y-%m-01'), INTERVAL months_ahead MONTH), '%Y%m');
    OPEN queues;
    each_queue: LOOP
        FETCH queues INTO queue;
        IF finished THEN
            LEAVE each_queue;
        END IF;
        SET @bongsu_ddl = REPLACE({log_table}, '{table}', CONCAT(queue, '_', @bongsu_month));
        PREPARE bongsu_statement FROM @bongsu_ddl;
        EXECUTE bongsu_statement;
        DEALLOCATE PREPARE bongsu_statement;
    END LOOP;
    CLOSE queues;
END

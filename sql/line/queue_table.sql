-- One line's queue: the carrier's agent polls it by seqno. {table} is SMSQ_SEND_<n>.
-- utf8mb4_bin is the one collation that MariaDB and MySQL 8 both have and that compares keys byte by byte.
-- In this row format a date that is still NULL has its place already: the agent fills two of them in, and a row that grew
-- would have to leave its full page, which takes four times as long.
CREATE TABLE IF NOT EXISTS {table} (
    seqno           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    dest_no         VARCHAR(20)     NOT NULL,
    call_back       VARCHAR(20)     NOT NULL,
    subject         VARCHAR(120)    NULL,
    msg_contents    TEXT            NOT NULL,
    msg_type        CHAR(1)         NOT NULL DEFAULT 'S' COMMENT 'S SMS, L LMS, M MMS, K Kakao',
    sendreq_time    DATETIME        NOT NULL COMMENT 'always the server''s own NOW()',
    status_code     INT             NOT NULL DEFAULT 100 COMMENT '100 waiting, 6/1000/1800 delivered, else failed',
    rsv1            CHAR(1)         NOT NULL DEFAULT '1' COMMENT '1 waiting, 2 in work, 3 handed over, 4 result, 5 moved',
    app_etc1        VARCHAR(64)     NULL COMMENT 'message key: run.hop.recipient',
    app_etc2        VARCHAR(64)     NULL COMMENT 'run.hop.chunk',
    mobsend_time    DATETIME        NULL,
    repmsg_recvtm   DATETIME        NULL,
    file_name1      VARCHAR(128)    NULL,
    file_name2      VARCHAR(128)    NULL,
    file_name3      VARCHAR(128)    NULL,
    k_template_code VARCHAR(64)     NULL,
    k_next_type     CHAR(1)         NULL,
    PRIMARY KEY (seqno),
    KEY app_etc2_status (app_etc2, status_code)
) ENGINE = InnoDB ROW_FORMAT = REDUNDANT DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin

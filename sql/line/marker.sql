-- What was handed over: one row per chunk, committed in the transaction that writes the chunk's queue rows.
-- Queue rows move away to the log tables; this table is the memory that keeps a retry from sending twice.
CREATE TABLE IF NOT EXISTS BONGSU_HANDOVER (
    run_id         BIGINT      NOT NULL,
    hop            SMALLINT    NOT NULL,
    chunk_no       INT         NOT NULL,
    table_name     VARCHAR(64) NOT NULL,
    row_count      INT         NOT NULL,
    handed_over_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (run_id, hop, chunk_no)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin

-- The tables of the peer of import and dispatch (benchmarks/peer.py), as its user would make them; xcom stands for
-- Airflow's own table, in which a task leaves what the next one works on.
CREATE TABLE staged (
    tenant_id      integer NOT NULL,
    run_id         bigint NOT NULL,
    row_no         integer NOT NULL,
    kind           text,
    consent        boolean NOT NULL,
    phone_index    text,
    phone_enc      text,
    name_enc       text,
    reject_reason  text,
    masked         text,
    PRIMARY KEY (run_id, row_no)
);
CREATE TABLE recipients (
    tenant_id     integer NOT NULL,
    run_id        bigint NOT NULL,
    recipient_no  integer NOT NULL,
    row_no        integer NOT NULL,
    kind          text NOT NULL,
    phone_index   text NOT NULL,
    phone_enc     text NOT NULL,
    name_enc      text NOT NULL,
    PRIMARY KEY (run_id, recipient_no)
);
CREATE TABLE exclusions (
    tenant_id  integer NOT NULL,
    run_id     bigint NOT NULL,
    row_no     integer NOT NULL,
    reason     text NOT NULL,
    masked     text,
    PRIMARY KEY (run_id, row_no)
);
CREATE TABLE suppressions (phone_index text PRIMARY KEY);
CREATE TABLE messages (
    tenant_id     integer NOT NULL,
    run_id        bigint NOT NULL,
    recipient_no  integer NOT NULL,
    line_no       smallint NOT NULL,
    kind          text NOT NULL,
    state         text NOT NULL,
    accepted_at   timestamptz,
    PRIMARY KEY (run_id, recipient_no)
);
CREATE TABLE xcom (
    run_id     bigint NOT NULL,
    task_id    text NOT NULL,
    map_index  integer NOT NULL,
    value      jsonb NOT NULL,
    PRIMARY KEY (run_id, task_id, map_index)
)

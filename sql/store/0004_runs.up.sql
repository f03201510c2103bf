-- Runs, their staged targets, frozen recipients, exclusions and chunks.
-- The wide tables carry no foreign keys: a check per row would cost more than the row; the run is checked once, by the
-- stage that writes.

CREATE TABLE runs (
    run_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      integer NOT NULL REFERENCES tenants,
    campaign_id    bigint NOT NULL REFERENCES campaigns,
    version        integer NOT NULL,
    spec           jsonb NOT NULL,
    dag_id         text NOT NULL,
    dag_run_id     text NOT NULL,
    test_send      boolean NOT NULL DEFAULT false,
    lines          smallint[] NOT NULL,
    run_at         timestamptz NOT NULL DEFAULT now(),
    state          text NOT NULL DEFAULT 'started'
                   CHECK (state IN ('started', 'refused', 'sending', 'finished', 'failed')),
    refusal        text,
    columns        text[],
    rows_read      integer,
    audience_hash  bytea,
    content_hash   bytea NOT NULL,
    frozen_at      timestamptz,
    finished_at    timestamptz,
    UNIQUE (dag_id, dag_run_id)
);
COMMENT ON COLUMN runs.spec IS 'The definition as it was when the run began; an edit never changes a run under way.';
COMMENT ON COLUMN runs.run_at IS 'When the run began; the month in which its messages are kept.';
COMMENT ON COLUMN runs.columns IS 'Variable names in the order of the values inside payload_enc, the phone number first.';
CREATE INDEX runs_campaign ON runs (campaign_id, run_id DESC);
CALL bongsu.protect('runs');

CREATE TABLE run_stages (
    tenant_id    integer NOT NULL,
    run_id       bigint NOT NULL REFERENCES runs,
    stage        text NOT NULL,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz NOT NULL,
    counts       jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (run_id, stage)
);
CALL bongsu.protect('run_stages');

CREATE TABLE staged_targets (
    tenant_id      integer NOT NULL,
    row_no         integer NOT NULL,
    run_id         bigint NOT NULL,
    blanks         bigint NOT NULL DEFAULT 0,
    consent        boolean,
    kind           "char",
    phone_index    bytea,
    payload_enc    bytea,
    reject_field   text,
    reject_reason  text,
    reject_detail  text,
    masked_value   text,
    PRIMARY KEY (run_id, row_no)
);
COMMENT ON TABLE staged_targets IS 'Rows of an imported file before anything is decided; emptied when the run is finished.';
COMMENT ON COLUMN staged_targets.blanks IS 'Bit i set: the i-th column that the gate watches is blank.';
COMMENT ON COLUMN staged_targets.payload_enc IS
    'Phone number, normalised, and the values that the message uses, cleaned, joined by U+001F, as AES-256-GCM.';
CALL bongsu.protect('staged_targets');

CREATE TABLE exclusions (
    tenant_id     integer NOT NULL,
    row_no        integer NOT NULL,
    run_id        bigint NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN ('rejected', 'duplicate', 'excluded')),
    reason        text NOT NULL,
    field         text,
    detail        text,
    masked_value  text,
    PRIMARY KEY (run_id, row_no)
);
COMMENT ON TABLE exclusions IS 'Targets that did not become recipients, each with its one reason.';
CALL bongsu.protect('exclusions');

CREATE TABLE recipients (
    tenant_id     integer NOT NULL,
    recipient_no  integer NOT NULL,
    run_id        bigint NOT NULL,
    row_no        integer NOT NULL,
    kind          "char" NOT NULL,
    phone_index   bytea,
    payload_enc   bytea,
    PRIMARY KEY (run_id, recipient_no)
);
COMMENT ON TABLE recipients IS 'The frozen audience of a run; written once, afterwards people can only be removed.';
COMMENT ON COLUMN recipients.kind IS 'S or L: the message type decided for this recipient''s text.';
CALL bongsu.protect('recipients');

CREATE TABLE chunks (
    tenant_id       integer NOT NULL,
    run_id          bigint NOT NULL REFERENCES runs,
    hop             smallint NOT NULL,
    chunk_no        integer NOT NULL,
    first_no        integer NOT NULL,
    last_no         integer NOT NULL,
    line_no         smallint NOT NULL REFERENCES lines,
    state           text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'accepted', 'final')),
    accepted        integer NOT NULL DEFAULT 0,
    withdrawn       integer NOT NULL DEFAULT 0,
    line_rows       integer NOT NULL DEFAULT 0,
    twice           integer NOT NULL DEFAULT 0,
    handed_over_at  timestamptz,
    final_at        timestamptz,
    PRIMARY KEY (run_id, hop, chunk_no)
);
COMMENT ON COLUMN chunks.withdrawn IS 'People who refused between the freeze and the hand-over.';
COMMENT ON COLUMN chunks.line_rows IS 'Rows that the line''s own tables hold for this chunk, as last read.';
COMMENT ON COLUMN chunks.twice IS 'Of those, rows for a message that another row stands for already; must be 0.';
CALL bongsu.protect('chunks');

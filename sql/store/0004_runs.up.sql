-- Runs, their staged targets, exclusions, frozen recipients and chunks.
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

-- The targets of a run before anything is decided stand in a table of the run's own, staging.run_<run_id>. It is made in
-- the transaction that fills it, so that its rows need no write-ahead log where wal_level is minimal, COPY may write it
-- before it has row-level security, and throwing them away is dropping a file.
CREATE SCHEMA staging;
GRANT USAGE ON SCHEMA staging TO bongsu_app, bongsu_platform;

-- A new, empty staging table for a run that is not frozen; the caller fills it in the same transaction. One import of a
-- run at a time: the lock on the run's row lasts to the end of the transaction.
CREATE FUNCTION bongsu.open_staging(run bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE runs SET columns = NULL, rows_read = NULL
    WHERE run_id = run AND frozen_at IS NULL AND tenant_id = ANY (bongsu.visible_tenants());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run % does not exist for this tenant, or is frozen', run;
    END IF;
    PERFORM bongsu.drop_staging(run);
    EXECUTE format($table$
        CREATE TABLE staging.run_%s (
            tenant_id      integer NOT NULL,
            row_no         integer NOT NULL,
            blanks         bigint NOT NULL,
            consent        boolean,
            kind           "char",
            phone_index    bytea,
            payload_enc    bytea,
            reject_field   text,
            reject_reason  text,
            reject_detail  text,
            masked_value   text
        )$table$, run);
    EXECUTE format('COMMENT ON COLUMN staging.run_%s.blanks IS %L', run,
                   'Bit i set: the i-th column that the gate watches is blank.');
    EXECUTE format('COMMENT ON COLUMN staging.run_%s.kind IS %L', run, 'S or L; null: the row is rejected.');
    EXECUTE format('COMMENT ON COLUMN staging.run_%s.payload_enc IS %L', run,
                   'Phone number, normalised, and the values that the message uses, cleaned, joined by U+001F, '
                   'as AES-256-GCM.');
    EXECUTE format('GRANT INSERT, SELECT ON staging.run_%s TO bongsu_app', run);
END $$;

-- A staging table is never committed without row-level security, whatever its maker forgets: every import touches
-- rows_read, and this waits for the end of the transaction.
CREATE FUNCTION bongsu.protect_staging() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    target regclass := to_regclass(format('staging.run_%s', NEW.run_id));
BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE oid = target AND NOT relrowsecurity) THEN
        CALL bongsu.protect(target);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER runs_protect_staging AFTER UPDATE OF rows_read ON runs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION bongsu.protect_staging();

-- Throw away what a run has staged, if it has.
CREATE FUNCTION bongsu.drop_staging(run bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    IF to_regclass(format('staging.run_%s', run)) IS NOT NULL
       AND EXISTS (SELECT FROM runs WHERE run_id = run AND tenant_id = ANY (bongsu.visible_tenants())) THEN
        EXECUTE format('DROP TABLE staging.run_%s', run);
    END IF;
END $$;

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
COMMENT ON TABLE exclusions IS
    'Targets that do not become recipients, each with its one reason: the rejected ones from the import on, others from the freeze on.';
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
    stray           integer NOT NULL DEFAULT 0,
    twice           integer NOT NULL DEFAULT 0,
    handed_over_at  timestamptz,
    final_at        timestamptz,
    PRIMARY KEY (run_id, hop, chunk_no)
);
COMMENT ON COLUMN chunks.withdrawn IS 'People who refused between the freeze and the hand-over.';
COMMENT ON COLUMN chunks.line_rows IS 'Rows that the line''s own tables hold for this chunk, as last read.';
COMMENT ON COLUMN chunks.stray IS 'Of those, rows that are no message''s result: their key or their code is odd.';
COMMENT ON COLUMN chunks.twice IS 'Of the others, rows for a message that another row stands for already; must be 0.';
CALL bongsu.protect('chunks');

-- Runs, their staged targets, exclusions, frozen recipients and chunks.
--
-- A row of a run names a run of its own tenant. Narrow tables say so by a foreign key that carries the tenant; the wide
-- ones by a policy on INSERT (bongsu.protect_rows_of_runs), because a foreign key looks up every row, and the policy
-- builds the set of open runs once a statement.

CREATE TABLE runs (
    run_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      integer NOT NULL,
    campaign_id    bigint NOT NULL,
    version        integer NOT NULL,
    dag_id         text NOT NULL,
    dag_run_id     text NOT NULL,
    test_send      boolean NOT NULL DEFAULT false,
    lines          smallint[] NOT NULL,
    run_at         timestamptz NOT NULL DEFAULT now(),
    month          smallint NOT NULL GENERATED ALWAYS AS (
                       (extract(year FROM run_at AT TIME ZONE 'UTC') * 12
                        + extract(month FROM run_at AT TIME ZONE 'UTC') - 1)::smallint) STORED,
    state          text NOT NULL DEFAULT 'deciding'
                   CHECK (state IN ('deciding', 'refused', 'started', 'sending', 'finished', 'failed', 'cancelling',
                                    'cancelled')),
    refusal        text,
    night_reason   text,
    columns        text[],
    rows_read      integer,
    audience_hash  bytea,
    frozen_at      timestamptz,
    finished_at    timestamptz,
    UNIQUE (tenant_id, run_id),
    UNIQUE (tenant_id, campaign_id, dag_id, dag_run_id),
    FOREIGN KEY (tenant_id, campaign_id, version) REFERENCES campaign_versions
);
COMMENT ON COLUMN runs.version IS 'The version in force when the run began; an edit never changes a run under way.';
COMMENT ON COLUMN runs.month IS 'Months since the year 0 of run_at in UTC: the partition of the run''s wide rows.';
COMMENT ON COLUMN runs.state IS
    'deciding: the guard has not said yet whether it may go; nothing but a decision leads out of it.';
COMMENT ON COLUMN runs.night_reason IS 'Why a person lets it hand over in quiet hours; null: it waits for the morning.';
COMMENT ON COLUMN runs.columns IS 'Variable names in the order of the values inside payload_enc, the phone number first.';
CREATE INDEX runs_campaign ON runs (campaign_id, run_id DESC);
-- the runs whose rows may still change: few, however many runs there were
CREATE INDEX runs_open ON runs (tenant_id, run_id) WHERE state IN ('started', 'sending', 'failed', 'cancelling');
CALL bongsu.protect('runs');
REVOKE UPDATE, DELETE ON runs FROM bongsu_app;
GRANT UPDATE (state, refusal, night_reason, columns, rows_read, audience_hash, frozen_at, finished_at) ON runs TO bongsu_app;
CREATE POLICY own_lines ON runs AS RESTRICTIVE FOR INSERT TO bongsu_app WITH CHECK (
    lines <@ CASE WHEN test_send THEN bongsu.lines_of(tenant_id, 'test')
                  ELSE bongsu.lines_of(tenant_id, 'bulk') || bongsu.lines_of(tenant_id, 'auth') END);

-- What is frozen stays frozen.
CREATE FUNCTION bongsu.keep_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audience of run % is frozen', OLD.run_id;
END $$;
CREATE TRIGGER runs_keep_frozen BEFORE UPDATE ON runs FOR EACH ROW
    WHEN (OLD.frozen_at IS NOT NULL AND (OLD.frozen_at, OLD.audience_hash, OLD.columns, OLD.rows_read)
          IS DISTINCT FROM (NEW.frozen_at, NEW.audience_hash, NEW.columns, NEW.rows_read))
    EXECUTE FUNCTION bongsu.keep_frozen();

CREATE TABLE run_stages (
    tenant_id    integer NOT NULL,
    run_id       bigint NOT NULL,
    stage        text NOT NULL,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz NOT NULL,
    counts       jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, run_id, stage),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, run_id)
);
CALL bongsu.protect('run_stages');

-- Protects a wide table of runs. The application may only add rows, and only to an open run of the row's own tenant;
-- what it may change further is granted beside the table.
CREATE PROCEDURE bongsu.protect_rows_of_runs(target regclass, frozen boolean) LANGUAGE plpgsql AS $$
BEGIN
    CALL bongsu.protect(target);
    EXECUTE format('REVOKE UPDATE, DELETE ON %s FROM bongsu_app', target);
    EXECUTE format($policy$
        CREATE POLICY own_runs ON %s AS RESTRICTIVE FOR INSERT TO bongsu_app WITH CHECK ((tenant_id, run_id, month) IN (
            SELECT tenant_id, run_id, month FROM runs
            WHERE state IN ('started', 'sending', 'failed', 'cancelling') AND frozen_at %s))
        $policy$, target, CASE WHEN frozen THEN 'IS NOT NULL' ELSE 'IS NULL' END);
END $$;

-- The targets of a run before anything is decided stand in a table of the run's own, staging.run_<run_id>. It is made in
-- the transaction that fills it, so that its rows need no write-ahead log where wal_level is minimal, COPY may write it
-- before it has row-level security, and throwing them away is dropping a file.
CREATE SCHEMA staging;
GRANT USAGE ON SCHEMA staging TO bongsu_app, bongsu_platform;

-- Forget what was read for a run that is not frozen. One import of a run at a time: the lock on the run's row lasts to the
-- end of the transaction.
CREATE FUNCTION bongsu.forget_targets(run bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM FROM runs
    WHERE run_id = run AND frozen_at IS NULL AND tenant_id = ANY (bongsu.visible_tenants())
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run % does not exist for this tenant, or is frozen', run;
    END IF;
    PERFORM bongsu.drop_staging(run);
    DELETE FROM exclusions WHERE run_id = run;
    UPDATE runs SET columns = NULL, rows_read = NULL WHERE run_id = run;
END $$;

-- A new, empty staging table for a run that is not frozen; the caller fills it in the same transaction. The run is touched
-- once more when the table is there: where the caller has made constraints immediate, it is protected at once.
CREATE FUNCTION bongsu.open_staging(run bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM bongsu.forget_targets(run);
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
                   'as AES-256-GCM, bound to the tenant, the run, the row and the number''s index.');
    EXECUTE format('GRANT INSERT, SELECT ON staging.run_%s TO bongsu_app', run);
    UPDATE runs SET columns = NULL, rows_read = NULL WHERE run_id = run;
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
    month         smallint NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN ('rejected', 'duplicate', 'excluded')),
    reason        text NOT NULL,
    field         text,
    detail        text,
    masked_value  text,
    PRIMARY KEY (run_id, row_no, month)
) PARTITION BY LIST (month);
COMMENT ON TABLE exclusions IS
    'Targets that do not become recipients, each with its one reason: the rejected ones from the import on, others from the freeze on.';
CALL bongsu.protect_rows_of_runs('exclusions', frozen => false);

CREATE TABLE recipients (
    tenant_id     integer NOT NULL,
    recipient_no  integer NOT NULL,
    run_id        bigint NOT NULL,
    row_no        integer NOT NULL,
    month         smallint NOT NULL,
    kind          "char" NOT NULL,
    phone_index   bytea,
    payload_enc   bytea,
    PRIMARY KEY (run_id, recipient_no, month)
) PARTITION BY LIST (month);
COMMENT ON TABLE recipients IS 'The frozen audience of a run; written once, afterwards people can only be removed.';
COMMENT ON COLUMN recipients.kind IS 'S or L: the message type decided for this recipient''s text.';
CALL bongsu.protect_rows_of_runs('recipients', frozen => false);

CREATE TABLE chunks (
    tenant_id       integer NOT NULL,
    run_id          bigint NOT NULL,
    hop             smallint NOT NULL,
    chunk_no        integer NOT NULL,
    first_no        integer NOT NULL,
    last_no         integer NOT NULL,
    line_no         smallint NOT NULL REFERENCES lines,
    state           text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'accepted', 'final')),
    accepted        integer NOT NULL DEFAULT 0,
    withdrawn       integer NOT NULL DEFAULT 0,
    cancelled       integer NOT NULL DEFAULT 0,
    line_rows       integer NOT NULL DEFAULT 0,
    stray           integer NOT NULL DEFAULT 0,
    twice           integer NOT NULL DEFAULT 0,
    handed_over_at  timestamptz,
    final_at        timestamptz,
    PRIMARY KEY (tenant_id, run_id, hop, chunk_no),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, run_id)
);
COMMENT ON COLUMN chunks.withdrawn IS 'People who refused, or lost their consent, between the freeze and the hand-over.';
COMMENT ON COLUMN chunks.cancelled IS 'People whose message had not left when the run was cancelled.';
COMMENT ON COLUMN chunks.line_rows IS 'Rows that the line''s own tables hold for this chunk, as last read.';
COMMENT ON COLUMN chunks.stray IS 'Of those, rows that are no message''s result: their key or their code is odd.';
COMMENT ON COLUMN chunks.twice IS 'Of the others, rows for a message that another row stands for already; must be 0.';
CREATE INDEX chunks_run ON chunks (run_id, hop, chunk_no);
CALL bongsu.protect('chunks');
REVOKE UPDATE, DELETE ON chunks FROM bongsu_app;
GRANT UPDATE (state, accepted, withdrawn, cancelled, line_rows, stray, twice, handed_over_at, final_at) ON chunks TO bongsu_app;
CREATE POLICY own_lines ON chunks AS RESTRICTIVE FOR INSERT TO bongsu_app WITH CHECK (
    EXISTS (SELECT FROM runs r WHERE r.tenant_id = chunks.tenant_id AND r.run_id = chunks.run_id
            AND chunks.line_no = ANY (r.lines)));

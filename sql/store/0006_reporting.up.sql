-- Report tables, certificates and the audit log.

CREATE TABLE report_runs (
    tenant_id             integer NOT NULL,
    run_id                bigint NOT NULL,
    rows_read             integer NOT NULL,
    rejected              integer NOT NULL,
    duplicates            integer NOT NULL,
    excluded              integer NOT NULL,
    recipients            integer NOT NULL,
    withdrawn             integer NOT NULL,
    cancelled             integer NOT NULL,
    claimed               integer NOT NULL,
    accepted              integer NOT NULL,
    refused_by_line       integer NOT NULL,
    unknown               integer NOT NULL,
    delivered             integer NOT NULL,
    failed                integer NOT NULL,
    expired               integer NOT NULL,
    waiting               integer NOT NULL,
    line_rows             integer NOT NULL,
    stray                 integer NOT NULL,
    twice                 integer NOT NULL,
    send_rate             numeric(5, 2),
    reach_rate            numeric(5, 2),
    mean_reach_seconds    numeric(12, 3),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, run_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, run_id)
);
COMMENT ON COLUMN report_runs.send_rate IS 'Percent: accepted / (accepted + refused by the line).';
COMMENT ON COLUMN report_runs.reach_rate IS 'Percent: delivered / accepted.';
COMMENT ON COLUMN report_runs.mean_reach_seconds IS 'Mean time from acceptance to the delivery receipt.';
CALL bongsu.protect('report_runs');

CREATE TABLE report_chunks (
    tenant_id   integer NOT NULL,
    run_id      bigint NOT NULL,
    hop         smallint NOT NULL,
    chunk_no    integer NOT NULL,
    line_no     smallint NOT NULL,
    accepted    integer NOT NULL,
    delivered   integer NOT NULL,
    failed      integer NOT NULL,
    expired     integer NOT NULL,
    PRIMARY KEY (tenant_id, run_id, hop, chunk_no),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, run_id)
);
CALL bongsu.protect('report_chunks');

CREATE TABLE report_lines (
    tenant_id   integer NOT NULL,
    run_id      bigint NOT NULL,
    line_no     smallint NOT NULL,
    accepted    integer NOT NULL,
    delivered   integer NOT NULL,
    failed      integer NOT NULL,
    expired     integer NOT NULL,
    PRIMARY KEY (tenant_id, run_id, line_no),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, run_id)
);
CALL bongsu.protect('report_lines');

CREATE TABLE report_codes (
    tenant_id    integer NOT NULL,
    run_id       bigint NOT NULL,
    result_code  integer NOT NULL,
    state        text NOT NULL CHECK (state IN ('delivered', 'failed')),
    messages     integer NOT NULL,
    PRIMARY KEY (tenant_id, run_id, result_code, state),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, run_id)
);
COMMENT ON COLUMN report_codes.state IS 'What the code meant: 6 is a delivered SMS, but a failure as the answer to an LMS.';
CALL bongsu.protect('report_codes');

CREATE TABLE report_hours (
    tenant_id   integer NOT NULL,
    run_id      bigint NOT NULL,
    hour        timestamptz NOT NULL,
    accepted    integer NOT NULL,
    delivered   integer NOT NULL,
    failed      integer NOT NULL,
    PRIMARY KEY (tenant_id, run_id, hour),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, run_id)
);
CALL bongsu.protect('report_hours');

CREATE TABLE certificates (
    certificate_id  bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id       integer NOT NULL,
    run_id          bigint NOT NULL,
    closed          boolean NOT NULL,
    body            jsonb NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, run_id, certificate_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, run_id)
);
COMMENT ON TABLE certificates IS
    'The books of a run as they were checked, with the equations and both hashes. What was certified stays; the last one counts.';
CALL bongsu.protect('certificates');
REVOKE UPDATE, DELETE ON certificates FROM bongsu_app, bongsu_platform;

CREATE TABLE audit_log (
    audit_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  integer NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    role       text NOT NULL DEFAULT session_user,
    actor      text NOT NULL DEFAULT '',
    action     text NOT NULL,
    object     text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON COLUMN audit_log.role IS 'The database login that did it, which no caller can choose.';
COMMENT ON COLUMN audit_log.actor IS 'Whom that login says it acts for: the session''s app.actor.';
CREATE INDEX audit_log_tenant ON audit_log (tenant_id, at);
CALL bongsu.protect('audit_log');
-- what was written stays written
REVOKE UPDATE, DELETE ON audit_log FROM bongsu_app, bongsu_platform;

-- When and by whom is not the caller's to say.
CREATE FUNCTION bongsu.sign_audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := clock_timestamp();
    NEW.role := session_user;
    NEW.actor := coalesce(nullif(current_setting('app.actor', true), ''), session_user);
    RETURN NEW;
END $$;
CREATE TRIGGER audit_log_signed BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION bongsu.sign_audit_row();

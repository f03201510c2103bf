-- Messages and their events. All wide rows of a run stand in the partition of the month in which it began, so that
-- forgetting a month is dropping its partitions. A run has one month, so the primary key, which must hold the partition
-- key, is unique per (run, recipient, hop).

CREATE TABLE messages (
    tenant_id     integer NOT NULL,
    recipient_no  integer NOT NULL,
    run_id        bigint NOT NULL,
    chunk_no      integer NOT NULL,
    result_code   integer,
    hop           smallint NOT NULL,
    month         smallint NOT NULL,
    kind          "char" NOT NULL,
    outcome       text CHECK (outcome IN ('rejected', 'unknown', 'delivered', 'failed', 'expired', 'withdrawn',
                                          'cancelled')),
    finished_at   timestamptz,
    PRIMARY KEY (run_id, recipient_no, hop, month)
) PARTITION BY LIST (month);
COMMENT ON TABLE messages IS 'One recipient on one hop. The primary key is the claim: it stands before anything leaves.';
COMMENT ON COLUMN messages.outcome IS 'What became of it, once that is known. Until then its chunk says whether it is with the line.';
CALL bongsu.protect_rows_of_runs('messages', frozen => true);
GRANT UPDATE (outcome, result_code, finished_at) ON messages TO bongsu_app;

-- The state of a message. A line takes a chunk as a whole, so that it did is written once, on the chunk.
CREATE FUNCTION bongsu.message_state(outcome text, chunk_state text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(outcome, CASE chunk_state WHEN 'planned' THEN 'pending' ELSE 'accepted' END);

CREATE VIEW message_states WITH (security_invoker) AS
SELECT m.tenant_id, m.run_id, m.recipient_no, m.hop, m.chunk_no, c.line_no, m.kind,
       bongsu.message_state(m.outcome, c.state) AS state,
       CASE WHEN m.outcome IN ('withdrawn', 'cancelled', 'unknown') THEN NULL ELSE c.handed_over_at END AS accepted_at,
       m.result_code, m.finished_at
FROM messages m
JOIN chunks c USING (tenant_id, run_id, hop, chunk_no);
GRANT SELECT ON message_states TO bongsu_app, bongsu_platform;

CREATE TABLE message_events (
    tenant_id     integer NOT NULL,
    recipient_no  integer NOT NULL,
    run_id        bigint NOT NULL,
    occurred_at   timestamptz NOT NULL,
    hop           smallint NOT NULL,
    month         smallint NOT NULL,
    result_code   integer,
    event         text NOT NULL CHECK (event IN ('delivered', 'failed', 'expired', 'withdrawn', 'cancelled', 'unknown'))
) PARTITION BY LIST (month);
COMMENT ON TABLE message_events IS 'What became of a message after its claim; when it was claimed and accepted stands on the message itself.';
CREATE INDEX message_events_message ON message_events (run_id, recipient_no);
CALL bongsu.protect_rows_of_runs('message_events', frozen => true);

-- Creates the partitions of one month, named <table>_y<YYYY>m<MM>. The application owns no table, so it asks through
-- this function, for runs of now; the lock keeps two callers from creating one twice.
CREATE FUNCTION bongsu.ensure_month(of_moment timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    utc timestamp := of_moment AT TIME ZONE 'UTC';
    parent text;
    partition_name text;
BEGIN
    IF of_moment NOT BETWEEN now() - interval '1 year' AND now() + interval '1 year' THEN
        RAISE EXCEPTION 'a run of % is not one of now', utc;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('bongsu.ensure_month'));
    FOREACH parent IN ARRAY ARRAY['exclusions', 'recipients', 'messages', 'message_events'] LOOP
        partition_name := parent || to_char(utc, '"_y"YYYY"m"MM');
        CONTINUE WHEN to_regclass(partition_name) IS NOT NULL;
        -- a message gets its outcome after it was written: free space in its page keeps the new version there
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) %s', partition_name, parent,
                       CASE parent WHEN 'messages' THEN 'WITH (fillfactor = 50)' END);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition_name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition_name);
        -- a dump reads partitions by their own names: without a policy of its own the owner would see no row there
        EXECUTE format('CREATE POLICY owner_all ON %I TO bongsu_owner USING (true) WITH CHECK (true)', partition_name);
        -- attached, not created as a partition: that would wait for everybody who reads or writes the parent, and they for it
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', parent, partition_name,
                       extract(year FROM utc) * 12 + extract(month FROM utc) - 1);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION bongsu.ensure_month FROM public;
GRANT EXECUTE ON FUNCTION bongsu.ensure_month TO bongsu_app, bongsu_platform;
SELECT bongsu.ensure_month(now()), bongsu.ensure_month(now() + interval '1 month');

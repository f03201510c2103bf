-- Which loader builds a new campaign's DAG: the first with room. The answer counts the campaigns of all tenants, which
-- the tenant that asks cannot see, and tells nothing about them.
CREATE FUNCTION bongsu.free_shard(loaders smallint[], room integer) RETURNS smallint LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
    SELECT s.shard
    FROM unnest(loaders) AS s (shard)
    WHERE (SELECT count(*) FROM campaigns c WHERE c.shard = s.shard AND c.state <> 'archived') < room
    ORDER BY s.shard LIMIT 1
$$;
REVOKE EXECUTE ON FUNCTION bongsu.free_shard FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bongsu.free_shard TO bongsu_app, bongsu_platform;

-- Takes back 0007_shards.up.sql.
DROP FUNCTION bongsu.free_shard;

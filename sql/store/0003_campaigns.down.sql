-- Takes back 0003_campaigns.up.sql.
DROP FUNCTION bongsu.kill_switch;
DROP TABLE kill_switches, campaign_versions, campaigns;
DROP FUNCTION bongsu.name_dag;

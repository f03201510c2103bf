-- Takes back 0001_tenants.up.sql.
DROP TABLE tenants CASCADE;
DROP TABLE line_group_lines, line_groups, lines;
DROP SCHEMA bongsu CASCADE;

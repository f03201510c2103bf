#!/bin/sh
# Runs once, when PostgreSQL's volume is empty: two databases, and the roles that the product connects as. The owner owns
# the tables and migrates them; the other two own nothing and are bound by row-level security.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    -v airflow="$AIRFLOW_DB_PASSWORD" -v owner="$STORE_OWNER_PASSWORD" \
    -v app="$STORE_APP_PASSWORD" -v platform="$STORE_PLATFORM_PASSWORD" <<'SQL'
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE ROLE bongsu_owner LOGIN PASSWORD :'owner';
CREATE ROLE bongsu_app LOGIN PASSWORD :'app';
CREATE ROLE bongsu_platform LOGIN PASSWORD :'platform';
CREATE DATABASE airflow OWNER airflow ENCODING 'UTF8' TEMPLATE template0;
CREATE DATABASE bongsu OWNER bongsu_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE airflow FROM PUBLIC;
REVOKE CONNECT ON DATABASE bongsu FROM PUBLIC;
GRANT CONNECT ON DATABASE bongsu TO bongsu_app, bongsu_platform;
SQL

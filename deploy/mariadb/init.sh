#!/bin/sh
# Runs once, when MariaDB's volume is empty: the three accounts of the SMS lines, each with what it does and no more.
# The product reads and inserts; the owner of the tables makes them and puts their rows back after a loss; the carrier's
# agent moves and finishes rows.
set -eu
MYSQL_PWD=$MARIADB_ROOT_PASSWORD mariadb --user=root "$MARIADB_DATABASE" <<SQL
CREATE USER 'bongsu'@'%' IDENTIFIED BY '$LINE_PASSWORD';
GRANT SELECT, INSERT ON $MARIADB_DATABASE.* TO 'bongsu'@'%';
CREATE USER 'bongsu_tables'@'%' IDENTIFIED BY '$LINE_TABLES_PASSWORD';
GRANT SELECT, INSERT, UPDATE, CREATE, ALTER, DROP, INDEX, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, EVENT
    ON $MARIADB_DATABASE.* TO 'bongsu_tables'@'%';
CREATE USER 'agent'@'%' IDENTIFIED BY '$AGENT_PASSWORD';
GRANT SELECT, INSERT, UPDATE, DELETE ON $MARIADB_DATABASE.* TO 'agent'@'%';
SQL

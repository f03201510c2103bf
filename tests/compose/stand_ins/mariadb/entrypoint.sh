#!/bin/bash
# As root: steps down. As the server's user: makes the data at the first start, runs its scripts against a server
# without a network, becomes the server.
set -euo pipefail
if [ "$(id -u)" = 0 ]; then
    chown mysql:mysql /var/lib/mysql /run/mysqld
    exec setpriv --reuid mysql --regid mysql --init-groups "${BASH_SOURCE[0]}" "$@"
fi
if [ ! -d /var/lib/mysql/mysql ]; then
    mariadb-install-db --datadir=/var/lib/mysql --auth-root-authentication-method=normal --skip-test-db --skip-log-bin \
        --default-time-zone=SYSTEM >/dev/null
    mariadbd --skip-networking --default-time-zone=SYSTEM &
    server=$!
    until mariadb -uroot --execute='SELECT 1' >/dev/null 2>&1; do
        kill -0 "$server"
        sleep 0.2
    done
    mariadb -uroot <<SQL
CREATE DATABASE $MARIADB_DATABASE;
SET PASSWORD FOR root@localhost = PASSWORD('$MARIADB_ROOT_PASSWORD');
SQL
    for script in /docker-entrypoint-initdb.d/*.sh; do
        # shellcheck source=/dev/null
        if [ -x "$script" ]; then "$script"; else . "$script"; fi
    done
    kill "$server"
    wait "$server"
fi
exec "$@"

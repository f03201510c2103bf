#!/bin/sh
# Like the official image's: steps down to the server's user only when the server is what is asked for.
set -eu
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    chown redis:redis /data
    exec setpriv --reuid redis --regid redis --init-groups "$0" "$@"
fi
umask 0077
exec "$@"

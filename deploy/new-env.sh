#!/bin/sh
# Writes .env from .env.example with a fresh secret for every empty value, and makes the folder of customer files; never
# overwrites a secret.
set -eu
cd "$(dirname "$0")/.."
[ ! -e .env ] || { echo ".env is there already; remove it first if you want new secrets (the databases keep the old ones)." >&2; exit 1; }
umask 077
while IFS= read -r line; do
    case $line in
        AIRFLOW_FERNET_KEY=) echo "$line$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')" ;;
        [A-Z]*=) echo "$line$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')" ;;
        *) echo "$line" ;;
    esac
done <.env.example >.env
umask 022
# The containers' user, who is none of this machine's, has to read what lies here.
mkdir -p data/acme
echo "Wrote .env. Keep a copy where you keep secrets; then: docker compose up --build --detach"

#!/usr/bin/env bash
# Installs what Bongsu needs: OS packages where they are missing, and .venv from requirements.lock.
#
#   tools/setup.sh             everything that the demo and the product need
#   tools/setup.sh --browser   also Chromium and a Korean font, for the tests in a real browser
#
# Every make target and ./bongsu call it, so a second call must cost milliseconds: a stamp in .venv holds the hash of
# all that decides what gets installed. Everything it says goes to stderr; the full output of what it runs is in
# .bongsu/setup.log. Settings: BONGSU_PYTHON names the Python to use; pip's and uv's own index settings are respected.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
# The path of this folder is written into .venv, and read there, in the encoding of the locale.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C.UTF-8
log=.bongsu/setup.log
stamp=.venv/.bongsu-setup
want_browser=no
[ "${1:-}" = --browser ] && want_browser=yes

has() { command -v "$1" >/dev/null 2>&1; }
has_mariadb() { has mariadbd || has mysqld; }
has_browser() { has chromium || has chromium-browser || has google-chrome; }
fingerprint() {
    { echo "$root"; cat requirements.lock tools/bootstrap.txt tools/setup.sh pyproject.toml; } | sha256sum | cut -c1-64
}
is_ready() {
    [ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(<"$stamp")" = "$1" ] && has_mariadb &&
        { [ "$want_browser" = no ] || has_browser; }
}

fingerprint=$(fingerprint)
is_ready "$fingerprint" && exit 0

say() { printf '%s\n' "$*" >&2; }
die() {
    say "Set-up stopped: $1"
    shift
    for line in "$@"; do say "  $line"; done
    exit 1
}

for place in . .bongsu; do
    if [ -e $place ] && [ ! -w $place ]; then
        die "$root belongs to $(stat -c %U $place). Work as that user, or with a copy of the project of your own."
    fi
done
if [ -L .venv ]; then
    die "$root/.venv is a link, and what it leads to may be another checkout's. Remove the link."
fi
(umask 066 && mkdir -p .bongsu) # others may pass, to PostgreSQL's files when root works here, and read nothing
exec 9>>.bongsu/setup.lock
chmod 600 .bongsu/setup.lock # whoever can read it could hold it
if ! flock -n 9; then
    say "set-up: another set-up of this folder is at work, waiting for it"
    flock 9
    is_ready "$fingerprint" && exit 0
fi
(umask 077 && : >"$log")

# step TEXT COMMAND...: one line with its seconds; when the command fails, the end of its output and status 1.
step() {
    local text=$1 started=$EPOCHREALTIME ended
    shift
    printf 'set-up: %s … ' "$text" >&2
    printf '\n$ %s\n' "$*" >>"$log"
    if ! "$@" >>"$log" 2>&1 9>&- </dev/null; then
        say "failed"
        tail -n 15 "$log" | sed 's/^/    /' >&2
        return 1
    fi
    ended=$EPOCHREALTIME
    LC_ALL=C awk -v a="${started/,/.}" -v b="${ended/,/.}" 'BEGIN { printf "%.1f s\n", b - a }' >&2
}

# --- Python -----------------------------------------------------------------------------------------------------------
# Several pythons may answer (shims, half-installed ones): the first that runs and is new enough is taken.
find_python() {
    local candidate
    for candidate in ${BONGSU_PYTHON:-python3 python3.11 /usr/bin/python3 python3.12 python3.13}; do
        if has "$candidate" && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
            >/dev/null 2>&1; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

# --- OS packages ------------------------------------------------------------------------------------------------------
missing=()
need() { missing+=("$@"); }

python=$(find_python) || { python=/usr/bin/python3 && need python3 python3-venv python3-dev; }
if [ -x "$python" ]; then
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || need python3-venv
    "$python" -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
        need python3-dev
fi
# mysqlclient comes as source: a compiler, the C library's headers and MariaDB's client library.
if ! has gcc || ! echo '#include <stdio.h>' | gcc -E - >/dev/null 2>&1; then need gcc libc6-dev; fi
has pkg-config || need pkg-config
pkg-config --exists mariadb 2>/dev/null || pkg-config --exists libmariadb 2>/dev/null ||
    pkg-config --exists mysqlclient 2>/dev/null || need libmariadb-dev
has_mariadb || need mariadb-server-core
[ -e /usr/share/zoneinfo/Asia/Seoul ] || need tzdata
if [ "$want_browser" = yes ] && ! has_browser; then need chromium fonts-nanum; fi

if [ ${#missing[@]} -gt 0 ]; then
    command="apt-get install --no-install-recommends ${missing[*]}"
    has apt-get || die "these packages (Debian's names) are missing: ${missing[*]}" \
        "This is not a Debian or Ubuntu; install their like with your own package manager, then call this again."
    as_root=()
    if [ "$(id -u)" != 0 ]; then
        has sudo || die "these packages are missing: ${missing[*]}" "There is no sudo here. As root:" "  apt-get update && $command"
        sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } ||
            die "these packages are missing: ${missing[*]}" "sudo would not run without a password. Run this:" \
                "  sudo apt-get update && sudo $command"
        as_root=(sudo -n)
    fi
    apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -q)
    step "looking up OS packages" "${apt[@]}" update ||
        die "apt-get update failed." "Is there a network? By hand: apt-get update && $command"
    step "installing ${missing[*]}" "${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
        die "apt-get could not install: ${missing[*]}" "By hand, as root: $command" "All of its output: $root/$log"
fi
python=$(find_python) || die "Python 3.11, 3.12 or 3.13 is needed, and none was found." \
    "Install one (on Debian 12: apt-get install python3 python3-venv python3-dev)," \
    "or name yours: BONGSU_PYTHON=/path/to/python3.11 tools/setup.sh"
has_mariadb || die "mariadbd was not found although its package is installed." "Is it outside PATH? Add its folder to PATH."

# --- the installer ----------------------------------------------------------------------------------------------------
uv=.bongsu/bootstrap/bin/uv
pinned=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' tools/bootstrap.txt)
if [ "$("$uv" --version 2>/dev/null | cut -d' ' -f2)" != "$pinned" ]; then
    rm -rf .bongsu/bootstrap
    step "making the installer's folder" "$python" -m venv .bongsu/bootstrap ||
        die "$python could not make a virtual environment." "On Debian: apt-get install python3-venv"
    step "fetching uv $pinned" .bongsu/bootstrap/bin/python -m pip install -q --disable-pip-version-check \
        --require-hashes --only-binary :all: -r tools/bootstrap.txt ||
        die "uv could not be fetched." "Is there a network, or a package index of your own to name in PIP_INDEX_URL?"
fi

# uv reads no pip settings: hand over those of the environment and of pip's configuration files.
pip_setting() { sed -n "s/^\(global\|install\|:env:\)\.$1='\(.*\)'$/\2/p" <<<"$pip_settings" | tail -n 1; }
pip_settings=$(.bongsu/bootstrap/bin/python -m pip config list 2>/dev/null || true)
adopt() {
    local value
    value=$(pip_setting "$2")
    if [ -z "${!1:-}" ] && [ -n "$value" ]; then export "$1=$value"; fi
}
[ -n "${UV_INDEX_URL:-}" ] || adopt UV_DEFAULT_INDEX index-url
[ -n "${UV_EXTRA_INDEX_URL:-}" ] || adopt UV_INDEX extra-index-url
if [ -z "${UV_FIND_LINKS:-}" ]; then
    # pip passes over a folder that is not there, uv refuses it.
    for place in $(pip_setting find-links); do
        if [ -d "$place" ] || [[ $place == *://* ]]; then export UV_FIND_LINKS=${UV_FIND_LINKS:+$UV_FIND_LINKS,}$place; fi
    done
fi
adopt SSL_CERT_FILE cert
export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180} UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1

# --- .venv ------------------------------------------------------------------------------------------------------------
# Scripts in a virtual environment hold its path: one that was moved here with the project is made anew.
if ! .venv/bin/python -c '' 2>/dev/null || ! grep -qsxF "$root" .venv/.bongsu-root; then
    step "making .venv with $("$python" -c 'import platform; print("Python", platform.python_version())')" \
        "$uv" venv --clear --python "$python" .venv || die "the virtual environment could not be made."
    echo "$root" >.venv/.bongsu-root
fi
rm -f "$stamp"
step "installing $(grep -c '^[A-Za-z0-9]' requirements.lock) locked packages" \
    "$uv" pip sync --python .venv/bin/python --require-hashes requirements.lock ||
    die "the packages of requirements.lock could not be installed." "All of the output: $root/$log" \
        "Is there a network, or a package index of your own to name in PIP_INDEX_URL?"
step "installing Bongsu itself" \
    "$uv" pip install --python .venv/bin/python --no-deps --no-build-isolation --editable . ||
    die "the project could not be installed." "All of the output: $root/$log"
fingerprint >"$stamp"
say "set-up: ready"

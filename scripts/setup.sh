#!/usr/bin/env bash
# Installs what is missing to build, test and run bss: a C compiler and the programs of the PostgreSQL server, with
# Debian's package client, as root or through sudo. Does nothing when all is there. The distribution's own database
# cluster is neither made nor started: bss runs a private one.
set -euo pipefail

OLDEST_POSTGRESQL=15 # as in src/platform/db/embedded/programs.rs

has_server_programs() {
  local bin major path
  if [ -n "${BSS_PG_BIN:-}" ]; then
    [ -x "$BSS_PG_BIN/initdb" ] && [ -x "$BSS_PG_BIN/postgres" ]
    return
  fi
  for bin in /usr/lib/postgresql/*/bin; do
    major=$(basename "$(dirname "$bin")")
    if [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && [ "$major" -ge "$OLDEST_POSTGRESQL" ] 2>/dev/null; then return 0; fi
  done
  if path=$(command -v postgres) && [ -x "$(dirname "$path")/initdb" ]; then
    major=$(postgres --version | sed -E 's/^[^)]*\) ([0-9]+).*/\1/')
    [ "$major" -ge "$OLDEST_POSTGRESQL" ]
    return
  fi
  return 1
}

fail() {
  echo "setup: $*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@"
}

install_server_programs() {
  # The package makes and starts a cluster of its own unless it is told not to, for as long as we install.
  local no_cluster=/etc/postgresql-common/createcluster.d/bss-setup.conf
  as_root mkdir -p "$(dirname "$no_cluster")"
  echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
  trap 'as_root rm -f "$no_cluster"' EXIT
  apt install --no-install-recommends postgresql
  as_root rm -f "$no_cluster"
  trap - EXIT
}

command -v cargo >/dev/null || fail "no Rust toolchain: install one from https://rustup.rs"

missing=()
command -v cc >/dev/null || missing+=("a C compiler (gcc, libc6-dev)")
has_server_programs || missing+=("PostgreSQL server $OLDEST_POSTGRESQL or newer (postgresql)")
[ ${#missing[@]} -eq 0 ] && exit 0

list=$(printf '%s; ' "${missing[@]}")
list=${list%; }
command -v apt-get >/dev/null || fail "missing: $list. Install it with your system's package client."
[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || fail "missing: $list. Run this once as root, or install sudo."

echo "setup: installing $list"
apt update
command -v cc >/dev/null || apt install --no-install-recommends gcc libc6-dev
has_server_programs || install_server_programs
has_server_programs ||
  fail "this distribution has no PostgreSQL $OLDEST_POSTGRESQL: install it, then name its folder in BSS_PG_BIN"

#!/usr/bin/env bash
# What PostgreSQL itself does on the private cluster of a running bss, with nothing in front of it: the ceiling that the
# figures of docs/PERFORMANCE.md stand beside. Works in a schema of its own, which it drops: dropping a database would write a
# checkpoint, and whatever is measured next would pay for whole pages in the log. Not beside a backup, which would take the
# schema along; what a run that was killed leaves, the next one removes.
#   scripts/ceiling.sh [DATA_DIR] [SECONDS]
set -euo pipefail

home=$(realpath "${1:-${BSS_DATA_DIR:-/var/lib/bss}}")
seconds=${2:-10}
clients=32
run=$home/postgres/run
[ -S "$run/.s.PGSQL.$(cat "$home/postgres/port")" ] || {
  echo "ceiling: no database server runs at $home; start bss serve --data-dir $home" >&2
  exit 1
}
PGHOST=$run PGPORT=$(cat "$home/postgres/port") PGPASSWORD=$(cat "$home/postgres/password") PGUSER=bss
export PGHOST PGPORT PGPASSWORD PGUSER PGOPTIONS='-c client_min_messages=warning'

pgbench=$(command -v pgbench || ls -d /usr/lib/postgresql/*/bin/pgbench | sort -V | tail -n 1)
psql=$(dirname "$pgbench")/psql
scripts=$(mktemp -d)
trap '"$psql" -qd bss -c "drop schema if exists ceiling cascade"; rm -rf "$scripts"' EXIT

"$psql" -qd bss -c 'drop schema if exists ceiling cascade' -c 'create schema ceiling' \
  -c 'create table ceiling.item (id bigint generated always as identity primary key, payload text not null)' \
  -c "insert into ceiling.item (payload) select repeat('x', 200) from generate_series(1, 100000)" -c 'vacuum analyze ceiling.item'
echo "insert into ceiling.item (payload) values (repeat('x', 200));" >"$scripts/insert.sql"
printf '\\set id random(1, 100000)\nselect payload from ceiling.item where id = :id;\n' >"$scripts/select.sql"

echo "fsync $("$psql" -qAtd bss -c 'show fsync'), synchronous_commit $("$psql" -qAtd bss -c 'show synchronous_commit')"
for what in insert select; do
  tps=$("$pgbench" -n -M prepared -c "$clients" -j 2 -T "$seconds" -f "$scripts/$what.sql" bss 2>/dev/null | sed -n 's/^tps = \([0-9]*\).*/\1/p')
  echo "$what: $tps/s at $clients clients"
done

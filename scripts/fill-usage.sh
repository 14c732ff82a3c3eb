#!/usr/bin/env bash
# Stores refused usage events on the lines of a running bss, so that a load can be measured beside much history. Straight
# into the tables of its private cluster, in parts of 100,000; the books stay in order, and the events stay where they are.
#   scripts/fill-usage.sh EVENTS [DATA_DIR]
set -euo pipefail

events=${1:?how many events}
home=$(realpath "${2:-${BSS_DATA_DIR:-/var/lib/bss}}")
run=$home/postgres/run
[ -S "$run/.s.PGSQL.$(cat "$home/postgres/port")" ] || {
  echo "fill-usage: no database server runs at $home; start bss serve --data-dir $home" >&2
  exit 1
}
PGHOST=$run PGPORT=$(cat "$home/postgres/port") PGPASSWORD=$(cat "$home/postgres/password") PGUSER=bss PGDATABASE=bss
export PGHOST PGPORT PGPASSWORD PGUSER PGDATABASE
psql=$(command -v psql || ls -d /usr/lib/postgresql/*/bin/psql | sort -V | tail -n 1)

batch=fill-$(date +%s)
for ((first = 0; first < events; first += 100000)); do
  last=$((first + 100000 < events ? first + 100000 : events))
  "$psql" -qv ON_ERROR_STOP=1 -v batch="$batch" -v first="$first" -v last="$last" <<'SQL'
set statement_timeout = 0;
with lines as (
    select array_agg(s order by s.id) as found from subscription.subscription s where s.state <> 'pending'),
events as materialized (
    select :'batch' || '-' || n as id, lines.found[1 + n % cardinality(lines.found)] as line, clock_timestamp() as at
    from generate_series(:first, :last - 1) as n, lines),
keys as (
    insert into mediation.usage_key (subscription_id, source, external_id, tenant_id, usage_id, recorded_at)
    select (line).id, 'fill', id, (line).tenant_id, id, at from events)
insert into mediation.usage_event (recorded_at, subscription_id, id, tenant_id, source, external_id, msisdn, customer_id,
    offering_id, event_type, event_time, quantity, unit, state, period_index, refused_quantity, reason, actor, channel,
    service_identity, request_id)
select at, (line).id, id, (line).tenant_id, 'fill', id, (line).msisdn, (line).customer_id, (line).offering_id, 'sms', at, 1,
    'count', 'refused', (line).period_index, 1, 'rating.no_allowance', 'bench', 'system', 'default', :'batch'
from events;
SQL
  echo "$last of $events"
done
"$psql" -qc 'analyze mediation.usage_event' -c 'analyze mediation.usage_key'

#!/usr/bin/env bash
# Makes lines out of the newest one that a running bss has in service, for measuring many of them: each gets a number, a
# profile, an order, services, a paid period and its balances of its own; the customer and the card are the same. Straight
# into the tables of its private cluster, in parts of 1,000; the books stay in order. Only for an installation without
# customers.
#   scripts/fill-lines.sh LINES [DATA_DIR]
set -euo pipefail

lines=${1:?how many lines}
home=$(realpath "${2:-${BSS_DATA_DIR:-/var/lib/bss}}")
run=$home/postgres/run
[ -S "$run/.s.PGSQL.$(cat "$home/postgres/port")" ] || {
  echo "fill-lines: no database server runs at $home; start bss serve --data-dir $home" >&2
  exit 1
}
PGHOST=$run PGPORT=$(cat "$home/postgres/port") PGPASSWORD=$(cat "$home/postgres/password") PGUSER=bss PGDATABASE=bss
export PGHOST PGPORT PGPASSWORD PGUSER PGDATABASE PGOPTIONS='-c client_min_messages=warning'
psql=$(command -v psql || ls -d /usr/lib/postgresql/*/bin/psql | sort -V | tail -n 1)

{
  echo "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0;"
  cat <<'SQL'
-- The rows of one line, found by its ids: whatever names the line, its order, its services, its number or its charge.
create temp table template (place bigint generated always as identity, tab text, columns text, line text);
create temp table name (old text primary key);
do $$
declare
    t record;
    known bigint;
begin
    insert into name
    select unnest(array[s.id, s.commercial_order_id, s.msisdn, s.iccid, s.cfs_service_id, p.payment_attempt_id])
    from subscription.subscription s join subscription.period p on p.subscription_id = s.id
    where s.state = 'active' and s.id !~ '_' order by s.created_at desc limit 6;
    if not found then
        raise exception 'there is no line in service to start from: sign one up first';
    end if;
    loop
        known := (select count(*) from name);
        truncate template;
        for t in
            select format('%I.%I', c.table_schema, c.table_name) as tab,
                   string_agg(format('%I', c.column_name), ', ' order by c.ordinal_position) as columns
            from information_schema.columns c
            join information_schema.tables i using (table_schema, table_name)
            where (c.table_schema in ('inventory', 'order_mgmt', 'service_inventory', 'provisioning', 'subscription', 'payment',
                    'mock_gateway') or (c.table_schema, c.table_name) = ('audit', 'domain_event'))
              and i.table_type = 'BASE TABLE' and c.is_identity = 'NO' and c.is_generated = 'NEVER'
            group by 1
        loop
            execute format(
                'insert into template (tab, columns, line) select %L, %L, to_jsonb(r)::text from %s r
                 where to_jsonb(r)::text ~ (select string_agg(''\m'' || old || ''\M'', ''|'') from name)
                 -- A history is told in its order, wherever on the disk its rows have found room.
                 order by substring(to_jsonb(r) ->> ''id'' from ''^[0-9]+$'')::numeric', t.tab, t.columns, t.tab);
        end loop;
        insert into name
        select distinct value #>> '{}' from template, jsonb_each(line::jsonb)
        where key in ('id', 'imsi', 'matching_id', 'gateway_ref', 'resource_id') and jsonb_typeof(value) = 'string'
        on conflict do nothing;
        exit when known = (select count(*) from name);
    end loop;
    -- What differs from copy to copy becomes a mark. Numbers stay numbers; every other id gets a suffix.
    for t in select old from name order by length(old) desc, old loop
        update template set line = replace(line, t.old, case
            when t.old !~ '^[0-9]+$' then t.old || '<suffix>'
            when length(t.old) < 12 then '<number>'
            else left(t.old, -9) || '<digits>' end);
    end loop;
end $$;

create function pg_temp.copied(line text, run text, n bigint) returns jsonb language sql as $$
    select case
        when copy ? 'entry_id' then jsonb_set(copy, '{entry_id}', to_jsonb(md5((copy ->> 'entry_id') || run || n)::uuid))
        when copy ? 'event_id' then jsonb_set(copy, '{event_id}', to_jsonb(md5((copy ->> 'event_id') || run || n)::uuid))
        else copy end
    from (select replace(replace(replace(line, '<suffix>', '_' || run || '_' || n), '<number>', (70000000 + n)::text),
            '<digits>', '7' || lpad(n::text, 8, '0'))::jsonb as copy) c
$$;

-- Tables whose rows refer to others come in a later round.
create procedure pg_temp.fill(run text, lines bigint) language plpgsql as $$
declare
    first bigint := 1 + (select count(*) from subscription.subscription where id ~ '_');
    last bigint := first + lines - 1;
    waiting text[] := (select array_agg(distinct tab) from template);
    again text[];
    t text;
begin
    while cardinality(waiting) > 0 loop
        again := '{}';
        foreach t in array waiting loop
            begin
                execute format('insert into %s (%s) select %s from template, generate_series($1, $2) as n,
                    jsonb_populate_record(null::%s, pg_temp.copied(line, $3, n)) where tab = %L order by n, place',
                    t, (select columns from template where tab = t limit 1), (select columns from template where tab = t limit 1), t, t)
                using first, last, run;
            exception when foreign_key_violation then
                again := again || t;
            end;
        end loop;
        if again = waiting then
            raise exception 'rows of % refer to something that is not there', again;
        end if;
        waiting := again;
    end loop;
end $$;
SQL
  stamp=$(date +%s)
  for ((first = 1; first <= lines; first += 1000)); do
    last=$((first + 999 < lines ? first + 999 : lines))
    echo "call pg_temp.fill('$stamp', $((last - first + 1)));"
    echo "\\echo $last of $lines"
  done
  echo "select format('analyze %s', tab) from (select distinct tab from template) t \gexec"
} | "$psql" -qv ON_ERROR_STOP=1

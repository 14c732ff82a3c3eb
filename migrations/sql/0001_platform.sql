-- What every domain stands on: clock, replicas, idempotency, the event log and its deliveries.

create schema platform;
create schema audit;

-- Product clock: present only where clock control is allowed; without a row the wall clock is the product clock.
create table platform.product_clock (
    singleton  boolean primary key default true check (singleton),
    mode       text        not null default 'wall' check (mode in ('wall', 'frozen')),
    offset_ms  bigint      not null default 0,
    frozen_at  timestamptz,
    updated_at timestamptz not null default now(),
    check ((mode = 'frozen') = (frozen_at is not null))
);

-- Every running process announces itself and renews its lease; leases held by a dead one are taken over.
create table platform.replica (
    boot_id        uuid primary key,
    version        text        not null,
    schema_version text        not null,
    role           text        not null,
    started_at     timestamptz not null default clock_timestamp(),
    lease_until    timestamptz not null
);

create table platform.idempotency_key (
    tenant_id        text        not null,
    service_identity text        not null,
    operation        text        not null,
    key              text        not null,
    request_hash     bytea       not null,
    resource_id      text        not null,
    status           smallint    not null,
    answer           jsonb       not null,
    created_at       timestamptz not null default now(),
    primary key (tenant_id, service_identity, operation, key)
);
create index ix_idempotency_key_created_at on platform.idempotency_key (created_at);

create table platform.tick (
    name             text primary key,
    last_started_at  timestamptz,
    last_finished_at timestamptz,
    last_report      jsonb,
    last_error       text
);

-- Prefix, dash, number padded to at least `width` digits: ORD-0042. Grows past the width naturally.
create function platform.mint_id(prefix text, number bigint, width integer) returns text
    language sql immutable parallel safe
    return prefix || '-' || lpad(number::text, greatest(width, length(number::text)), '0');

create function platform.refuse_change() returns trigger
    language plpgsql as
$$
begin
    raise exception '%.% is append-only', tg_table_schema, tg_table_name using errcode = 'insufficient_privilege';
end
$$;

-- The event log: audit trail, outbox and replay substrate in one. Partitioned by month of recording (wall clock).
create table audit.domain_event (
    id                bigint generated always as identity,
    event_id          uuid        not null,
    event_type        text        not null,
    schema_version    smallint    not null default 1,
    aggregate_type    text        not null,
    aggregate_id      text        not null,
    aggregate_version bigint      not null default 0,
    occurred_at       timestamptz not null, -- product clock
    recorded_at       timestamptz not null default clock_timestamp(),
    actor             text        not null,
    channel           text        not null,
    service_identity  text        not null,
    tenant_id         text        not null default 'DEFAULT',
    request_id        text        not null,
    trace_id          text,
    transaction_id    xid8        not null default pg_current_xact_id(), -- lets a reader tail without gaps
    payload           jsonb       not null default '{}',
    primary key (id, recorded_at),
    unique (event_id, recorded_at)
) partition by range (recorded_at);
create table audit.domain_event_default partition of audit.domain_event default;
create index ix_domain_event_aggregate on audit.domain_event (aggregate_type, aggregate_id, occurred_at);
create index ix_domain_event_aggregate_id on audit.domain_event (aggregate_id, id);
create index ix_domain_event_type on audit.domain_event (event_type, occurred_at);
create index ix_domain_event_identity on audit.domain_event (service_identity, occurred_at);
create index ix_domain_event_trace on audit.domain_event (trace_id) where trace_id is not null;
create trigger domain_event_append_only before update or delete on audit.domain_event
    for each row execute function platform.refuse_change();

-- Queue, inbox and parking lot in one row per event and subscriber.
create table audit.delivery (
    event_id        uuid        not null,
    consumer        text        not null,
    kind            text        not null check (kind in ('consumer', 'effect')),
    event_seq       bigint      not null, -- audit.domain_event.id and recorded_at: the key of the event row
    recorded_at     timestamptz not null,
    event_type      text        not null,
    aggregate_id    text        not null,
    tenant_id       text        not null default 'DEFAULT',
    state           text        not null default 'pending' check (state in ('pending', 'done', 'parked', 'discarded')),
    attempts        smallint    not null default 0,
    next_attempt_at timestamptz not null default clock_timestamp(), -- wall clock; a lease moves it to the lease's end
    leased_by       uuid, -- platform.replica.boot_id
    last_error      text,
    first_failed_at timestamptz,
    finished_at     timestamptz,
    primary key (event_id, consumer)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
create index ix_delivery_pending on audit.delivery (kind, next_attempt_at, event_seq) where state = 'pending';
create index ix_delivery_leased on audit.delivery (leased_by) where state = 'pending' and leased_by is not null;
create index ix_delivery_parked on audit.delivery (event_seq) where state = 'parked';
create index ix_delivery_aggregate on audit.delivery (aggregate_id) where state in ('pending', 'parked');
create index ix_delivery_finished on audit.delivery (finished_at) where state = 'done';

create table audit.delivery_history (
    id       bigint generated always as identity primary key,
    event_id uuid        not null,
    consumer text        not null,
    what     text        not null check (what in ('failed', 'parked', 'replayed', 'discarded')),
    actor    text        not null,
    detail   text,
    at       timestamptz not null default clock_timestamp()
);
create index ix_delivery_history on audit.delivery_history (event_id, consumer);

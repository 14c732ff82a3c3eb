-- Usage: one row per event of a known line, with its answer. Partitioned by month of recording (wall clock).

create schema mediation;
create sequence mediation.usage_event_id_seq cache 1;

create table mediation.usage_event (
    subscription_id   text        not null,
    id                text        not null,
    tenant_id         text        not null default 'DEFAULT',
    recorded_at       timestamptz not null default clock_timestamp(),
    source            text        not null,
    external_id       text        not null,
    msisdn            text        not null,
    customer_id       text        not null,
    offering_id       text        not null,
    event_type        text        not null check (event_type in ('data', 'voice', 'sms')),
    event_time        timestamptz not null,
    quantity          bigint      not null check (quantity > 0),
    unit              text        not null,
    roaming_indicator boolean     not null default false,
    state             text        not null check (state in ('rated', 'refused')),
    allowance_type    text,
    period_index      integer     not null,
    applied           bigint      not null default 0 check (applied >= 0), -- the use entry: taken off the balance
    rated_quantity    bigint      not null default 0 check (rated_quantity >= 0), -- served
    refused_quantity  bigint      not null default 0 check (refused_quantity >= 0),
    remaining         bigint, -- left after this event; null where unlimited or refused before a balance was found
    reason            text, -- the rule that refused it
    actor             text        not null,
    channel           text        not null,
    service_identity  text        not null,
    request_id        text        not null,
    primary key (subscription_id, id, recorded_at)
) partition by range (recorded_at);
create table mediation.usage_event_default partition of mediation.usage_event default;
create index ix_usage_event_id on mediation.usage_event (id);
create index ix_usage_event_recorded_at on mediation.usage_event (recorded_at);

-- A monthly partition cannot hold the uniqueness of (source, external id): this table does, for the stated window.
create table mediation.usage_key (
    subscription_id text        not null,
    source          text        not null,
    external_id     text        not null,
    tenant_id       text        not null default 'DEFAULT',
    usage_id        text        not null,
    recorded_at     timestamptz not null, -- finds the row's partition
    primary key (subscription_id, source, external_id)
) partition by hash (subscription_id);
create table mediation.usage_key_0 partition of mediation.usage_key for values with (modulus 8, remainder 0);
create table mediation.usage_key_1 partition of mediation.usage_key for values with (modulus 8, remainder 1);
create table mediation.usage_key_2 partition of mediation.usage_key for values with (modulus 8, remainder 2);
create table mediation.usage_key_3 partition of mediation.usage_key for values with (modulus 8, remainder 3);
create table mediation.usage_key_4 partition of mediation.usage_key for values with (modulus 8, remainder 4);
create table mediation.usage_key_5 partition of mediation.usage_key for values with (modulus 8, remainder 5);
create table mediation.usage_key_6 partition of mediation.usage_key for values with (modulus 8, remainder 6);
create table mediation.usage_key_7 partition of mediation.usage_key for values with (modulus 8, remainder 7);
create index ix_usage_key_recorded_at on mediation.usage_key (recorded_at);

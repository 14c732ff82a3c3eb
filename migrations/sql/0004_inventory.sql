-- The numbers and eSIM profiles the operator can hand out.

create schema inventory;

create table inventory.msisdn_pool (
    msisdn                      text primary key check (msisdn ~ '^[0-9]{4,15}$'),
    tenant_id                   text        not null default 'DEFAULT',
    status                      text        not null default 'available'
        check (status in ('available', 'reserved', 'assigned', 'quarantine', 'ported_out')),
    reserved_for                text, -- the order that holds the reservation
    reserved_at                 timestamptz,
    reserved_until              timestamptz,
    assigned_to_subscription_id text,
    quarantine_until            timestamptz,
    version                     bigint      not null default 1,
    created_at                  timestamptz not null default now(),
    updated_at                  timestamptz not null default now(),
    check ((status = 'reserved') = (reserved_for is not null)),
    check ((status = 'assigned') = (assigned_to_subscription_id is not null))
);
create index ix_msisdn_available on inventory.msisdn_pool (tenant_id, msisdn) where status = 'available';
create index ix_msisdn_reserved on inventory.msisdn_pool (reserved_for) where status = 'reserved';
create index ix_msisdn_quarantine on inventory.msisdn_pool (quarantine_until) where status = 'quarantine';

create table inventory.esim_profile (
    iccid                       text primary key check (iccid ~ '^[0-9]{18,22}$'),
    tenant_id                   text        not null default 'DEFAULT',
    imsi                        text        not null unique,
    ki_ref                      text        not null, -- a pointer to an HSM slot, never a key
    profile_state               text        not null default 'available'
        check (profile_state in ('available', 'reserved', 'downloaded', 'activated', 'suspended', 'recycled')),
    smdp_server                 text        not null,
    matching_id                 text        not null unique,
    activation_code             text        not null,
    assigned_msisdn             text references inventory.msisdn_pool,
    assigned_to_subscription_id text,
    reserved_for                text,
    reserved_at                 timestamptz,
    reserved_until              timestamptz,
    downloaded_at               timestamptz,
    activated_at                timestamptz,
    version                     bigint      not null default 1,
    created_at                  timestamptz not null default now(),
    updated_at                  timestamptz not null default now(),
    check ((profile_state = 'reserved') = (reserved_for is not null))
);
create index ix_esim_available on inventory.esim_profile (tenant_id, iccid) where profile_state = 'available';
create index ix_esim_reserved on inventory.esim_profile (reserved_for) where profile_state = 'reserved';
create index ix_esim_subscription on inventory.esim_profile (assigned_to_subscription_id)
    where assigned_to_subscription_id is not null;

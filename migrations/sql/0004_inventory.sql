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
create unique index uq_msisdn_reserved on inventory.msisdn_pool (tenant_id, reserved_for) where status = 'reserved';
create unique index uq_msisdn_subscription on inventory.msisdn_pool (tenant_id, assigned_to_subscription_id)
    where status = 'assigned';
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
create unique index uq_esim_reserved on inventory.esim_profile (tenant_id, reserved_for) where profile_state = 'reserved';
create unique index uq_esim_subscription on inventory.esim_profile (tenant_id, assigned_to_subscription_id)
    where profile_state in ('downloaded', 'activated', 'suspended');

-- Whether a pool was reported as low: the alarm is raised once on the way down and armed again by a refill.
create table inventory.pool_watch (
    tenant_id  text        not null default 'DEFAULT',
    pool       text        not null check (pool in ('msisdn', 'esim')),
    is_low     boolean     not null,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, pool)
);

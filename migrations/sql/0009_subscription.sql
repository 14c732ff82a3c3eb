-- The customer's line: plan, number, price contract, period, balances, state.

create schema subscription;
create sequence subscription.subscription_id_seq;
create sequence subscription.vas_purchase_id_seq;

create table subscription.subscription (
    id                         text primary key,
    tenant_id                  text        not null default 'DEFAULT',
    customer_id                text        not null,
    offering_id                text        not null,
    commercial_order_id        text        not null,
    msisdn                     text        not null,
    iccid                      text        not null,
    cfs_service_id             text        not null,
    state                      text        not null default 'pending' check (state in ('pending', 'active', 'blocked', 'terminated')),
    state_reason               text,
    block_reasons              text[]      not null default '{}', -- exhausted, payment, requested, fraud; empty unless blocked
    activated_at               timestamptz,
    period_kind                text        not null default 'days_30' check (period_kind in ('days_30', 'calendar_month')),
    anchor_day                 smallint check (anchor_day between 1 and 31), -- calendar_month: day and wall time of boundaries
    anchor_time                time,
    period_index               integer     not null default 0, -- 0: not yet active; 1: the activation period
    current_period_start       timestamptz,
    current_period_end         timestamptz,
    next_renewal_at            timestamptz,
    terminated_at              timestamptz,
    renewal_attempt_id         text, -- the charge for the next period that is not settled; null: none
    renewal_attempted_for      timestamptz, -- the period end whose renewal was last attempted or skipped
    renewal_next_attempt_at    timestamptz, -- wall clock: backoff after a transient failure
    renewal_reminder_sent_for  timestamptz, -- the period end that was reminded of
    price_amount_minor         bigint      not null,
    price_currency             text        not null,
    price_offering_price_id    text        not null,
    pending_offering_id        text,
    pending_offering_price_id  text,
    pending_effective_at       timestamptz,
    pending_origin             text check (pending_origin in ('customer', 'operator')),
    discount_type              text check (discount_type in ('percent', 'absolute')),
    discount_value             numeric(12, 4),
    discount_periods_remaining integer     not null default 0, -- -1: for ever
    promo_code                 text,
    promo_offer_definition_id  text,
    version                    bigint      not null default 1,
    created_at                 timestamptz not null default now(),
    updated_at                 timestamptz not null default now(),
    check ((state = 'blocked') = (cardinality(block_reasons) > 0)),
    unique (tenant_id, commercial_order_id)
);
create unique index uq_subscription_msisdn on subscription.subscription (tenant_id, msisdn) where state <> 'terminated';
create unique index uq_subscription_iccid on subscription.subscription (tenant_id, iccid) where state <> 'terminated';
create index ix_subscription_msisdn_ended on subscription.subscription (tenant_id, msisdn, terminated_at) where state = 'terminated';
create index ix_subscription_customer on subscription.subscription (customer_id, created_at desc, id);
create index ix_subscription_renewal on subscription.subscription (next_renewal_at) where state in ('active', 'blocked');
create index ix_subscription_renewal_attempt on subscription.subscription (renewal_attempt_id) where renewal_attempt_id is not null;

-- The contract of the period: what the plan granted when the period began. Catalog edits never touch it.
create table subscription.allowance_snapshot (
    subscription_id text     not null references subscription.subscription,
    period_index    integer  not null,
    allowance_type  text     not null,
    tenant_id       text     not null default 'DEFAULT',
    quantity        bigint   not null check (quantity >= -1),
    unit            text     not null,
    primary key (subscription_id, period_index, allowance_type)
);

-- One row per period of a line: what it was to cost, and the attempt that paid it (null with amount 0: discounted away).
create table subscription.period (
    subscription_id    text        not null references subscription.subscription,
    period_index       integer     not null,
    tenant_id          text        not null default 'DEFAULT',
    period_start       timestamptz not null,
    period_end         timestamptz not null,
    amount_minor       bigint      not null check (amount_minor >= 0),
    currency           text        not null,
    payment_attempt_id text,
    created_at         timestamptz not null default now(),
    primary key (subscription_id, period_index),
    check (period_start <= period_end), -- equal: renewed early at the instant it began
    check (amount_minor = 0 or payment_attempt_id is not null)
);
create unique index uq_period_attempt on subscription.period (payment_attempt_id) where payment_attempt_id is not null;

-- The balance column is the sum of its entries over the current period, kept under the line's lock.
create table subscription.bundle_balance (
    subscription_id text        not null references subscription.subscription,
    allowance_type  text        not null check (allowance_type in ('data', 'voice', 'sms', 'data_roaming')),
    tenant_id       text        not null default 'DEFAULT',
    unlimited       boolean     not null default false,
    unlimited_until timestamptz, -- a day pass: unlimited before this instant
    total           bigint      not null check (total >= 0), -- granted in this period
    remaining       bigint      not null check (remaining >= 0),
    unit            text        not null,
    period_index    integer     not null,
    period_start    timestamptz not null,
    period_end      timestamptz not null,
    primary key (subscription_id, allowance_type)
) with (fillfactor = 50);

-- Grants, expiries, resets and corrections; the uses are the usage rows themselves (mediation.usage_event.applied).
create table subscription.quota_entry (
    subscription_id text        not null,
    allowance_type  text        not null,
    id              bigint generated always as identity,
    tenant_id       text        not null default 'DEFAULT',
    period_index    integer     not null,
    kind            text        not null check (kind in ('grant', 'expiry', 'reset', 'correction')),
    amount          bigint      not null, -- signed: what it adds to the balance
    source          text        not null, -- activation, renewal, vas:<purchase>, period_end, termination
    occurred_at     timestamptz not null,
    recorded_at     timestamptz not null default clock_timestamp(),
    primary key (subscription_id, allowance_type, id)
);
create unique index uq_quota_entry_source on subscription.quota_entry (subscription_id, allowance_type, period_index, kind, source);

create table subscription.vas_purchase (
    id                 text primary key,
    tenant_id          text        not null default 'DEFAULT',
    subscription_id    text        not null references subscription.subscription,
    customer_id        text        not null,
    vas_offering_id    text        not null,
    state              text        not null default 'pending' check (state in ('pending', 'applied', 'declined', 'refunded')),
    state_reason       text,
    payment_attempt_id text,
    price_amount_minor bigint      not null,
    price_currency     text        not null,
    allowance_type     text        not null,
    allowance_added    bigint      not null, -- -1: unlimited until expires_at
    unit               text        not null,
    expiry_hours       integer,
    requested_at       timestamptz not null,
    applied_at         timestamptz,
    expires_at         timestamptz,
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now()
);
create index ix_vas_purchase_subscription on subscription.vas_purchase (subscription_id, requested_at desc, id);
create index ix_vas_purchase_expiry on subscription.vas_purchase (expires_at) where state = 'applied' and expires_at is not null;

create table subscription.subscription_state_history (
    id              bigint generated always as identity primary key,
    tenant_id       text        not null default 'DEFAULT',
    subscription_id text        not null references subscription.subscription,
    from_state      text,
    to_state        text        not null,
    block_reasons   text[]      not null default '{}',
    changed_by      text        not null,
    reason          text,
    event_time      timestamptz not null
);
create index ix_subscription_state_history on subscription.subscription_state_history (subscription_id, id);

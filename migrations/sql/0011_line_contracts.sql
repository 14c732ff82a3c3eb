-- The contract of a line over time: what each period is charged by, and what is booked to change at a renewal.

-- How a plan counts its periods: thirty times 24 hours, or from month to month in the operator's time zone.
alter table catalog.product_offering
    add column period_kind text not null default 'days_30' check (period_kind in ('days_30', 'calendar_month'));

alter table subscription.subscription
    add column pending_price_amount_minor bigint,
    add column pending_price_currency     text,
    add column migration_id               text, -- a price that the operator moves the line to; beside the customer's own plan change
    add column migration_price_id         text,
    add column migration_amount_minor     bigint,
    add column migration_currency         text,
    add column migration_effective_at     timestamptz,
    add column discount_last_period       integer; -- the last period with the discount; null: none, or for ever

update subscription.subscription
set discount_last_period = period_index + discount_periods_remaining
where discount_periods_remaining > 0;

-- Who is not reminded yet, so that a sweep does not look at those who are.
create index ix_subscription_reminder on subscription.subscription (next_renewal_at)
    where state in ('active', 'blocked') and renewal_reminder_sent_for is distinct from next_renewal_at;

alter table subscription.subscription_state_history add column note text; -- what a person added to the reason

-- Written with the charge for the period, so that what was charged for is what begins, whatever is booked meanwhile.
create table subscription.period_contract (
    subscription_id         text        not null references subscription.subscription,
    period_index            integer     not null,
    tenant_id               text        not null default 'DEFAULT',
    offering_id             text        not null,
    price_offering_price_id text        not null,
    price_amount_minor      bigint      not null check (price_amount_minor >= 0), -- the full price
    price_currency          text        not null,
    amount_minor            bigint      not null check (amount_minor between 0 and price_amount_minor), -- what is charged
    discounted              boolean     not null default false,
    period_kind             text check (period_kind in ('days_30', 'calendar_month')), -- null: as the line's periods were counted
    pivot                   text check (pivot in ('plan_change', 'price_migration')), -- what begins with this period
    migration_id            text,
    created_at              timestamptz not null default now(),
    primary key (subscription_id, period_index),
    check ((pivot is not distinct from 'price_migration') = (migration_id is not null))
);

-- When the period was entered, by whom, and why it does not begin where the one before ended.
alter table subscription.period
    add column entered_at timestamptz,
    add column entered_by text,
    add column gap        text check (gap in ('missed', 'paid_late'));

-- Each plan change and each price migration of a line, from its booking to its end. Append-only but for the end.
create table subscription.contract_change (
    subscription_id           text        not null references subscription.subscription,
    id                        bigint generated always as identity,
    tenant_id                 text        not null default 'DEFAULT',
    kind                      text        not null check (kind in ('plan_change', 'price_migration')),
    state                     text        not null default 'scheduled'
        check (state in ('scheduled', 'applied', 'cancelled', 'replaced', 'dropped')),
    migration_id              text,
    former_offering_id        text        not null,
    former_price_amount_minor bigint      not null,
    offering_id               text        not null,
    price_offering_price_id   text        not null,
    price_amount_minor        bigint      not null,
    price_currency            text        not null,
    effective_at              timestamptz not null, -- as booked; an early renewal moves a plan change on
    scheduled_at              timestamptz not null,
    scheduled_by              text        not null,
    ended_at                  timestamptz,
    ended_by                  text,
    period_index              integer, -- the period that it began with
    primary key (subscription_id, id),
    check ((kind = 'price_migration') = (migration_id is not null)),
    check ((state = 'scheduled') = (ended_at is null))
);
create unique index uq_contract_change_scheduled on subscription.contract_change (subscription_id, kind) where state = 'scheduled';
create unique index uq_contract_change_migration on subscription.contract_change (migration_id, subscription_id)
    where migration_id is not null;

-- Renewals that could not be charged: the other half of what happened to a line.
create table subscription.renewal_decline (
    subscription_id    text        not null references subscription.subscription,
    id                 bigint generated always as identity,
    tenant_id          text        not null default 'DEFAULT',
    period_index       integer     not null,
    amount_minor       bigint      not null,
    currency           text        not null,
    reason             text        not null,
    payment_attempt_id text,
    declined_at        timestamptz not null,
    changed_by         text        not null,
    primary key (subscription_id, id)
);

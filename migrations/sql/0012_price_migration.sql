-- Moving the lines of a plan to a new price: booked once, carried out in batches, each line once and with its full notice.

create sequence subscription.price_migration_id_seq;

create table subscription.price_migration (
    id                 text primary key,
    tenant_id          text        not null default 'DEFAULT',
    offering_id        text        not null,
    price_id           text        not null,
    price_amount_minor bigint      not null,
    price_currency     text        not null,
    effective_from     timestamptz not null,
    notice_days        integer     not null check (notice_days between 1 and 365),
    initiated_by       text        not null,
    state              text        not null default 'open' check (state in ('open', 'closed')), -- open: lines that join are moved too
    requested_at       timestamptz not null,
    closed_at          timestamptz,
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now(),
    unique (tenant_id, offering_id, price_id)
);
create index ix_price_migration_open on subscription.price_migration (tenant_id, id) where state = 'open';
create index ix_subscription_offering on subscription.subscription (tenant_id, offering_id, id) where state in ('active', 'blocked');

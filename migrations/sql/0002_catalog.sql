-- What can be sold, at which price, when, with which allowances.

create schema catalog;

create table catalog.product_specification (
    id               text primary key,
    tenant_id        text        not null default 'DEFAULT',
    name             text        not null,
    description      text,
    brand            text,
    lifecycle_status text        not null default 'active',
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now()
);

create table catalog.product_offering (
    id               text primary key,
    tenant_id        text        not null default 'DEFAULT',
    name             text        not null,
    spec_id          text        not null references catalog.product_specification,
    is_bundle        boolean     not null default true,
    is_sellable      boolean     not null default true,
    lifecycle_status text        not null default 'active',
    valid_from       timestamptz,
    valid_to         timestamptz, -- exclusive
    version          bigint      not null default 1,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    check (valid_from < valid_to)
);

-- Price rows are never edited but for valid_to: a line's contract refers to a price id for ever.
create table catalog.product_offering_price (
    id                      text primary key,
    tenant_id               text        not null default 'DEFAULT',
    offering_id             text        not null references catalog.product_offering,
    price_type              text        not null default 'recurring' check (price_type in ('recurring', 'one_time')),
    recurring_period_length smallint    not null default 1,
    recurring_period_type   text        not null default 'month',
    amount_minor            bigint      not null check (amount_minor >= 0), -- tax included
    currency                text        not null check (currency ~ '^[A-Z]{3}$'),
    valid_from              timestamptz,
    valid_to                timestamptz,
    created_at              timestamptz not null default now(),
    updated_at              timestamptz not null default now(),
    check (valid_from < valid_to)
);
create index ix_price_offering on catalog.product_offering_price (offering_id, amount_minor, id);

create table catalog.bundle_allowance (
    id             text primary key,
    tenant_id      text   not null default 'DEFAULT',
    offering_id    text   not null references catalog.product_offering,
    allowance_type text   not null check (allowance_type in ('data', 'voice', 'sms', 'data_roaming')),
    quantity       bigint not null check (quantity >= -1), -- -1 is unlimited
    unit           text   not null check (unit in ('mb', 'minutes', 'count')),
    unique (offering_id, allowance_type)
);

create table catalog.vas_offering (
    id                 text primary key,
    tenant_id          text        not null default 'DEFAULT',
    name               text        not null,
    amount_minor       bigint      not null check (amount_minor >= 0),
    currency           text        not null check (currency ~ '^[A-Z]{3}$'),
    allowance_type     text        not null check (allowance_type in ('data', 'voice', 'sms', 'data_roaming')),
    allowance_quantity bigint      not null check (allowance_quantity >= -1),
    allowance_unit     text        not null check (allowance_unit in ('mb', 'minutes', 'count')),
    expiry_hours       integer check (expiry_hours > 0), -- null: lasts to the end of the period
    is_sellable        boolean     not null default true,
    valid_from         timestamptz,
    valid_to           timestamptz,
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now()
);

create table catalog.service_specification (
    id         text primary key,
    tenant_id  text  not null default 'DEFAULT',
    name       text  not null,
    type       text  not null check (type in ('CFS', 'RFS')),
    parameters jsonb not null default '{}'
);

create table catalog.product_to_service_mapping (
    offering_id  text primary key references catalog.product_offering,
    tenant_id    text   not null default 'DEFAULT',
    cfs_spec_id  text   not null references catalog.service_specification,
    rfs_spec_ids text[] not null
);
